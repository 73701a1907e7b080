//! Archives of other systems, read into conversations.

pub mod mbox;
