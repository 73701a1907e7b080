//! The stream: the event log, the hub that dispatches it on this node, cursors. No GraphQL, no HTTP.

mod backend;
pub mod bus;
pub mod cursor;
pub mod entry;
mod ephemeral;
pub mod hub;
pub mod installation;
pub mod log;
pub mod log_reader;
mod log_sql;
pub mod payload_cache;
pub mod position;
mod presence;
pub mod resume;
pub mod retention;
#[cfg(test)]
mod simulation;
