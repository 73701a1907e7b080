//! `/graphql` over WebSocket: the `graphql-transport-ws` protocol.
//!
//! `upgrade` accepts the handshake and `connection` runs one socket. `operation_task` executes one operation of it,
//! `protocol` decides what a message means, `messages` encodes replies, and `frame_queue` sends them. `metered_stream`
//! limits what a client may send.

mod connection;
#[cfg(test)]
mod fake_socket;
mod frame_queue;
mod messages;
mod metered_stream;
mod operation_task;
mod protocol;
mod upgrade;

pub(super) use protocol::PING_INTERVAL;
pub(super) use upgrade::{is_upgrade, upgrade};
