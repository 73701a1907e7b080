//! Who takes part in a conversation, as everybody in it sees it, and the viewer's own membership.

pub mod inputs;
mod list_fields;
pub mod loader;
mod mutation;
pub mod types;

pub use mutation::ParticipantMutation;
