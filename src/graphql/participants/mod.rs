//! The participants of a conversation, and the viewer's membership.

pub mod inputs;
mod list_fields;
pub mod loader;
mod mutation;
pub mod types;

pub use mutation::ParticipantMutation;
