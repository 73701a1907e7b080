//! The event stream: nothing lost, nothing twice, in order, and silence when access ends.

mod log;
mod rows;
mod stories;
