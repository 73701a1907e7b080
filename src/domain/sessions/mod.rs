//! Sessions: where a user is signed in, and the tokens that prove it.

mod access;
mod end;
mod label;
mod refresh;
mod retention;
mod second_factor;
mod start;
mod viewer;

pub use access::viewer;
pub use end::{SessionFilter, end_in, revoke, revoke_others, sign_out};
pub use refresh::refresh;
pub use retention::delete_old;
pub use second_factor::{has_second_factor, requires_second_factor, with_second_factor};
pub use start::{
    ABSOLUTE_LIFETIME, IDLE_LIFETIME, active, expires_at, reauthenticated_until, start_in,
    start_issued_in,
};
pub use viewer::{Device, SignedIn, Viewer};
