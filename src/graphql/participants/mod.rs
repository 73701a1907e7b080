//! Who takes part in a conversation, as everybody in it sees it, and the viewer's own membership.

pub mod loader;
pub mod types;
