//! What the guard says when it turns a document away. Words and figures only: never the document's own text.

use async_graphql::Pos;

use crate::error::Code;

/// Maximum errors in one response.
pub const MAX_ERRORS: usize = 10;

/// Where in its reading a document failed; decides the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not a GraphQL document, or is too large to be read as one.
    Reading,
    /// It is a document, but not one that this server runs.
    Checking,
}

/// A limit that a document went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Name of the limit, for example `depth`.
    pub limit: &'static str,
    /// What is allowed.
    pub maximum: u64,
    /// What was found; counting may stop at the first excess.
    pub found: u64,
}

/// One reason for not running a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardError {
    /// How far the document came.
    pub stage: Stage,
    /// The code that clients read.
    pub code: Code,
    /// One sentence.
    pub message: String,
    /// Where in the document, when it can be said.
    pub at: Option<Pos>,
    /// The limit and the figures of a `TOO_COMPLEX`.
    pub excess: Option<Excess>,
}

impl From<GuardError> for Vec<GuardError> {
    fn from(error: GuardError) -> Self {
        vec![error]
    }
}

impl GuardError {
    /// The document cannot be read.
    #[must_use]
    pub fn syntax(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self {
            stage: Stage::Reading,
            code: Code::BadUserInput,
            message: message.into(),
            at,
            excess: None,
        }
    }

    /// The document can be read but makes no sense.
    #[must_use]
    pub fn invalid(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self {
            stage: Stage::Checking,
            ..Self::syntax(message, at)
        }
    }

    /// The document asks for more than one request may.
    #[must_use]
    pub fn excess(stage: Stage, limit: &'static str, maximum: u64, found: u64) -> Self {
        Self {
            stage,
            code: Code::TooComplex,
            message: format!(
                "The document goes over the limit `{limit}`: {maximum} allowed, {found} found."
            ),
            at: None,
            excess: Some(Excess {
                limit,
                maximum,
                found,
            }),
        }
    }
}
