//! Presence: the status of users as others see it, and who is typing.

mod status;
pub mod typing;
mod update;

pub use status::{Presence, online, seen};
pub(in crate::domain) use update::share_in;
pub use update::{NewPresence, set};
