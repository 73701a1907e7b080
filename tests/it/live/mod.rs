//! The event stream: nothing lost, nothing twice, in order, and silence when access ends.

mod chaos;
mod cursors;
mod delivery;
mod log;
mod nodes;
mod partitions;
mod redis;
mod rows;
mod session_end;
mod share;
mod slow_consumer;
