//! Threads: a root message and everything below it.

pub mod lists;
pub mod loader;
mod mutation;
mod plain;
mod query;
pub mod replies;
pub mod types;

pub use mutation::ThreadMutation;
pub use query::ThreadQuery;
