//! Archives of other systems, read into conversations.

pub mod letter;
pub mod mbox;
pub mod threading;
