//! Presence and typing.

pub mod loader;
pub mod mutation;
pub mod types;

pub use mutation::PresenceMutation;
