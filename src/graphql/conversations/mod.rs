//! Conversations: types, lists and mutations.

pub mod inputs;
mod list_fields;
pub mod loader;
mod mutation;
pub mod query;
pub mod types;

pub use mutation::ConversationMutation;
pub use query::ConversationQuery;
