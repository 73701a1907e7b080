//! The administration area: what users with a role on the server read and change.

pub mod accounts;
pub mod audit_log;
pub mod inputs;
pub mod invitations;
mod loader;
mod mutation;
mod query;
pub mod types;

pub use mutation::AdminMutation;
pub use query::AdminQuery;
