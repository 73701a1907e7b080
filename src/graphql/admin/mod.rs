//! The administration area: what users with a role on the server read.

pub mod audit_log;
mod query;
pub mod types;

pub use query::AdminQuery;
