//! What this server is and allows.

pub mod codes;
mod query;
pub mod types;

pub use query::ServerQuery;
