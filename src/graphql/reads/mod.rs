//! Read state: totals for badges, the list behind them, and marking read.

mod list;
pub mod loader;
mod mutation;
pub mod types;

pub(crate) use list::unread_messages;
pub use mutation::ReadMutation;
