//! The checks before execution. Each document and its variables are parsed, measured and pruned here, in time that is
//! linear in their length. This module is pure: it uses no axum, no database and no clock.

mod admission;
mod cost;
mod document;
mod error;
mod lexer;
mod limits;
mod position;
mod prune;
mod root_fields;
#[cfg(test)]
mod tests;
mod variables;

pub use admission::{Admitted, Guard};
pub use cost::{Complexity, measure};
pub use document::{Document, Selected};
pub use error::{ExceededLimit, GuardError, MAX_ERRORS, Stage};
pub use lexer::{Lexed, lex};
pub use limits::Limits;
pub use variables::{Coerced, VariableTypes};
