//! Notifications: the viewer's list, and the mutations that read and dismiss them.

mod list;
pub mod loader;
mod mutation;
pub mod types;

pub(crate) use list::notifications;
pub use mutation::NotificationMutation;
