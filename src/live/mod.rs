//! The event stream: the log of events, the hub that dispatches them to the subscribers of this node, and cursors.
//! Contains no GraphQL and no HTTP.

mod backend;
pub mod bus;
pub mod cursor;
pub mod entry;
mod ephemeral;
pub mod epoch;
pub mod hub;
pub mod installation;
pub mod log;
pub mod log_mark;
pub mod log_reader;
mod log_sql;
pub mod memberships;
pub mod open_documents;
pub mod payload_cache;
pub mod position;
mod presence;
pub mod resume;
pub mod retention;
#[cfg(test)]
mod simulation;
