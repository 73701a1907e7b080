//! Sessions: where a user is signed in, and the tokens that prove it.

mod authenticate;
mod end;
mod label;
mod refresh;
mod retention;
mod start;
mod viewer;

pub use authenticate::authenticate;
pub use end::{SessionFilter, end_in, revoke, revoke_others, sign_out};
pub use refresh::refresh;
pub use retention::delete_old;
pub use start::{ABSOLUTE_LIFETIME, IDLE_LIFETIME, active, expires_at, start_in};
pub use viewer::{Device, SignedIn, Viewer};
