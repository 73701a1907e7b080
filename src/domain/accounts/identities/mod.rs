//! Users of other systems whose access tokens are accepted: each has an account, which its first token creates.

mod admit;
mod authenticate;
mod profile;
mod release;
mod select;

pub use authenticate::authenticate;
pub use release::delete_released;
pub(super) use release::release_in;
pub use select::with_identity;
