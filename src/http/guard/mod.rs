//! The checks before execution. Each document and its variables are parsed, validated, measured and merged here, in
//! time that is linear in their length, and the executor runs the result without validating it. This module is pure: it
//! uses no axum, no database and no clock.

mod admission;
mod complexity;
mod convert;
mod cost;
mod diagnostics;
mod document;
mod equal_arguments;
mod error;
mod introspection;
mod introspection_size;
mod lexer;
mod limits;
mod merge;
mod merged_operation;
mod position;
mod read;
mod root_fields;
mod schema;
mod selections;
#[cfg(test)]
mod tests;
mod values;
mod variables;
mod weights;

pub use admission::{Admitted, Guard};
pub use complexity::Complexity;
pub use cost::measure;
pub use document::{Document, Selected};
pub use error::{ExceededLimit, GuardError, MAX_ERRORS, Stage};
pub use introspection::Introspection;
pub use lexer::{Lexed, lex};
pub use limits::Limits;
pub use schema::{CompiledSchema, InvalidSchema};
