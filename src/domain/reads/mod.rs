//! Read state: how far each person has read. Counts are derived from marks, never stored.

pub mod position;
pub mod unread;
