//! Read state: unread totals, the list of unread messages, and the mutations that mark read.

mod list;
pub mod loader;
mod mutation;
pub mod types;

pub(crate) use list::unread_messages;
pub use mutation::ReadMutation;
