//! The transport: HTTP, WebSocket and server-sent events in front of the schema, and the limits that protect them.
//! Only this module uses axum.

mod assets;
mod body;
mod bundle;
mod client;
mod connections;
mod edge;
mod field_list;
mod graphql;
pub mod guard;
mod headers;
mod health;
mod hosts;
mod negotiation;
mod operation;
mod operation_log;
mod origin;
mod request;
mod request_source;
mod response;
mod router;
mod server;
mod socket;
mod sse;
mod state;
mod web;
mod write_timeout;

pub use router::router;
pub use server::serve;
