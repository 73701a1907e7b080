//! People as others see them.

pub mod loader;
mod plain;
mod query;
pub mod types;

pub use query::UserQuery;
