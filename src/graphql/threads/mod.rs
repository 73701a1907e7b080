//! Threads: types, lists, replies and mutations.

mod list_fields;
pub mod lists;
pub mod loader;
mod mutation;
mod query;
pub mod replies;
pub mod types;

pub use mutation::ThreadMutation;
pub use query::ThreadQuery;
