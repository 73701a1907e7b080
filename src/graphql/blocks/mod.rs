//! Users whom the viewer blocked.

pub mod loader;
mod mutation;
pub mod query;
pub mod types;

pub use mutation::BlockMutation;
