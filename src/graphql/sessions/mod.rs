//! The viewer's sessions, one per signed-in device.

pub mod loader;
mod mutation;
pub mod types;

pub use mutation::SessionMutation;
