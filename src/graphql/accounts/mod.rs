//! Accounts: signing up, signing in, and the viewer's own view.

mod mutation;
mod query;
pub mod types;

pub use mutation::AccountMutation;
pub use query::AccountQuery;
