//! People as others see them.

pub mod loader;
mod query;
pub mod types;

pub use query::UserQuery;
