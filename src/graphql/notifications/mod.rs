//! Notifications: the viewer's list, reading and dismissing them.

mod list;
pub mod loader;
mod mutation;
pub mod types;

pub(crate) use list::notifications;
pub use mutation::NotificationMutation;
