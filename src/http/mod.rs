//! The door: HTTP and WebSocket in front of the schema. Everything that knows axum lives here, and nothing else does.

pub mod guard;
