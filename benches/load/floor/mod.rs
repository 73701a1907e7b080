//! The floors: servers that return the same data from the same tables with as little work as possible. They check
//! nothing, keep no counters and write no events; statements and JSON are written by hand.

mod common;
pub(crate) mod postgres;
pub(crate) mod sockets;
pub(crate) mod sqlite;
pub(crate) mod statements;
