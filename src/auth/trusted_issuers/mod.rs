//! Verifies access tokens of other systems that the operator trusts (JSON Web Tokens, RFC 7519).

mod key_set;
mod problem;
mod public_key;
mod verify;

pub use problem::TokenProblem;
pub use verify::{IssuedToken, TrustedIssuers};
