//! The errors of the guard. They hold a message and numbers, and never quote the document.

use async_graphql::Pos;

use crate::error::Code;

/// Maximum errors in one response.
pub const MAX_ERRORS: usize = 10;

/// The stage at which a document failed. It determines the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The text is not a GraphQL document, or is too large.
    Parsing,
    /// The document is valid GraphQL, but this server does not execute it.
    Validation,
}

/// A limit that a document exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceededLimit {
    /// Name of the limit, for example `depth`.
    pub limit: &'static str,
    /// The maximum that is allowed.
    pub maximum: u64,
    /// The value that was found. Counting may stop when it exceeds the maximum.
    pub found: u64,
}

/// A reason why a document is not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardError {
    /// The stage that failed.
    pub stage: Stage,
    /// The error code.
    pub code: Code,
    /// The message for the client: one sentence.
    pub message: String,
    /// The position in the document, if it is known.
    pub at: Option<Pos>,
    /// The exceeded limit of a `TOO_COMPLEX` error.
    pub exceeded: Option<ExceededLimit>,
}

impl From<GuardError> for Vec<GuardError> {
    fn from(error: GuardError) -> Self {
        vec![error]
    }
}

impl GuardError {
    /// Creates an error for a document that cannot be parsed.
    #[must_use]
    pub fn syntax(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self {
            stage: Stage::Parsing,
            code: Code::BadUserInput,
            message: message.into(),
            at,
            exceeded: None,
        }
    }

    /// Creates an error for a document that can be parsed but is invalid.
    #[must_use]
    pub fn invalid(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self {
            stage: Stage::Validation,
            ..Self::syntax(message, at)
        }
    }

    /// Creates an error for a document that exceeds a limit.
    #[must_use]
    pub fn limit_exceeded(stage: Stage, limit: &'static str, maximum: u64, found: u64) -> Self {
        Self {
            stage,
            code: Code::TooComplex,
            message: format!(
                "The document exceeds the limit `{limit}`: {found} found, at most {maximum} allowed."
            ),
            at: None,
            exceeded: Some(ExceededLimit {
                limit,
                maximum,
                found,
            }),
        }
    }
}
