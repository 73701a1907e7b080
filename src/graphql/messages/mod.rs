//! Messages: types, the timeline, revisions and mutations.

pub mod across;
pub mod inputs;
mod list_fields;
pub mod loader;
mod mutation;
pub mod notice;
mod query;
pub mod timeline;
pub mod types;

pub use mutation::MessageMutation;
pub use query::MessageQuery;
