//! Who is around and who is typing, as the schema shows it.

pub mod loader;
pub mod mutation;
pub mod types;

pub use mutation::PresenceMutation;
