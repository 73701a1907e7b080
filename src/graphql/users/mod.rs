//! Users, as other users see them.

mod list_fields;
pub mod loader;
mod query;
pub mod types;

pub use query::UserQuery;
