//! Sessions: where the viewer is signed in.

pub mod loader;
mod mutation;
pub mod types;

pub use mutation::SessionMutation;
