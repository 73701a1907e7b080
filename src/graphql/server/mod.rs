//! The server: its name, versions, limits and error codes.

pub mod codes;
mod query;
pub mod types;

pub use query::ServerQuery;
