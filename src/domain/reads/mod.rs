//! Read state: the messages that each participant has read. Counts are derived from marks and never stored.
//!
//! A read scope is the timeline of a conversation or one thread. All messages up to a participant's floor are read, in
//! every scope; in each scope the messages up to its mark are read; above the mark, exceptions are read. Every change
//! first locks the participant's row.

mod announce;
pub mod count;
mod mark;
mod mark_unread;
pub mod position;
pub mod receipts;
mod scope;
pub mod unread;

pub use mark::{UpTo, mark_conversations, mark_messages, mark_thread};
pub use mark_unread::mark_unread_from;
