//! The stream: the event log, the hub that dispatches it on this node, cursors. No GraphQL, no HTTP.

pub mod bus;
pub mod cursor;
mod fleeting;
pub mod follow;
mod ground;
pub mod hub;
pub mod installation;
pub mod log;
pub mod place;
mod presence;
pub mod prune;
pub mod read;
pub mod share;
#[cfg(test)]
mod simulation;
mod statements;
