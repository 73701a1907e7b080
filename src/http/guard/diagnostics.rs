//! Converts the errors of the library that parses and validates documents. The messages name fields, arguments and
//! types, but never quote values or lines of the document.

use apollo_compiler::{diagnostic::ToCliReport, validation::DiagnosticList};

use super::error::{GuardError, MAX_ERRORS, Stage};
use super::limits::Limits;
use super::position::Lines;

/// The error of a text that is not a document. Only the first one is reported: the others often follow from it.
pub(super) fn syntax(errors: &DiagnosticList, lines: &Lines) -> Vec<GuardError> {
    let Some(first) = errors.iter().next() else {
        return vec![];
    };
    let at = first.error.location();
    let at = at.map(|location| lines.position(location.offset()));
    let message = first.error.to_string();
    let expected = message
        .strip_prefix("syntax error: ")
        .filter(|message| message.starts_with("expected "))
        // What follows quotes the document.
        .and_then(|message| message.split(", got").next())
        .map(|message| format!(": {}", readable(message)))
        .unwrap_or_default();
    let message = format!("The document is not valid GraphQL{expected}.");
    vec![GuardError::syntax(message, at)]
}

/// Replaces the names of tokens by the tokens.
fn readable(message: &str) -> String {
    [
        ("R_PAREN", "`)`"),
        ("R_CURLY", "`}`"),
        ("R_BRACK", "`]`"),
        ("COLON", "`:`"),
    ]
    .iter()
    .fold(message.to_owned(), |message, (name, token)| {
        message.replace(name, token)
    })
}

/// The errors of an invalid document, at most [`MAX_ERRORS`].
///
/// Leaves out that a subscription selects several root fields, because the library does not merge those with equal
/// response keys; `root_fields` applies this rule.
pub(super) fn invalid(errors: &DiagnosticList, lines: &Lines, limits: &Limits) -> Vec<GuardError> {
    errors
        .iter()
        .filter(|one| one.error.unstable_error_name() != Some("SubscriptionUsesMultipleFields"))
        .take(MAX_ERRORS)
        .map(|one| {
            let name = one.error.unstable_error_name();
            if matches!(name, Some("RecursionLimitError" | "RecursionError")) {
                let maximum = limits.nesting;
                return GuardError::limit_exceeded(
                    Stage::Validation,
                    "nesting",
                    maximum,
                    maximum.saturating_add(1),
                );
            }
            let at = one.error.location();
            let at = at.map(|location| lines.position(location.offset()));
            GuardError::invalid(sentence(&one.error.to_string()), at)
        })
        .collect()
}

/// Makes a sentence of a message.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    let mut sentence: String = first.into_iter().chain(characters).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
