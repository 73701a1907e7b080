//! The open connections: how many there may be of one client, and which one is closed for another when all are in use.
//!
//! A connection belongs to the client that it serves, also behind a trusted proxy. It is protected while it serves a
//! signed-in user. When all connections are in use, an unprotected one makes room for a new one, so that clients
//! without an account cannot lock out others, and health checks always get a response.

mod networks;
mod table;

pub(super) use table::{ConnectionInfo, Connections};
