//! The event stream: it loses nothing, repeats nothing, keeps the order, and ends with the subscriber's access.

mod audiences;
mod backups;
mod chaos;
mod cursors;
mod delivery;
mod log;
mod nodes;
mod partitions;
mod presence;
mod redis;
mod rows;
mod session_end;
mod share;
mod slow_consumer;
