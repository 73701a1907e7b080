//! Who takes part in a conversation, as everybody in it sees it, and the viewer's own membership.

pub mod inputs;
pub mod loader;
mod mutation;
mod plain;
pub mod types;

pub use mutation::ParticipantMutation;
