//! Who talks with whom.

pub mod inputs;
pub mod loader;
mod mutation;
mod plain;
pub mod query;
pub mod types;

pub use mutation::ConversationMutation;
pub use query::ConversationQuery;
