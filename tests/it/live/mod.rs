//! The event stream: nothing lost, nothing twice, in order, and silence when access ends.

mod crowd;
mod cursors;
mod cuts;
mod endings;
mod log;
mod nodes;
mod redis;
mod rows;
mod share;
mod stories;
mod storm;
