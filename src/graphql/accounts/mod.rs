//! Accounts: registration, sign-in, and the viewer's private data.

pub mod deletion;
pub mod inputs;
mod loader;
mod mutation;
pub mod preferences;
mod query;
mod recovery;
pub mod second_factor;
pub mod types;

pub use mutation::AccountMutation;
pub use query::AccountQuery;
pub use recovery::RecoveryMutation;
pub use second_factor::SecondFactorMutation;
