//! People as others see them.

pub mod loader;
pub mod types;
