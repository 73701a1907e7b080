//! Sessions: where the viewer is signed in.

mod mutation;
pub mod types;

pub use mutation::SessionMutation;
