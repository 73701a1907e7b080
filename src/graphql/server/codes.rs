//! The error codes of the schema, with what a client should do about each.

use async_graphql::{Enum, SimpleObject, resolver_utils::EnumType};

use crate::error::Code;

/// Codes that `extensions.code` of a request error carries. Field problems arrive together: a
/// BAD_USER_INPUT error lists all of them, up to 50, under `extensions.problems`, each with a `path` into
/// `input`, a `code` and a `message`. New codes may be added; treat an unknown one by its nearest HTTP meaning,
/// shown in the documentation.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Code")]
pub enum ErrorCode {
    /// The request has no valid session or token.
    Unauthenticated,
    /// The viewer may see the object but not do this to it.
    Forbidden,
    /// Nothing visible to the viewer has this id. Hidden and absent are the same.
    NotFound,
    /// The input has problems; see `extensions.problems`.
    BadUserInput,
    /// The object changed since the version that was named, or the same key was sent with other content.
    Conflict,
    /// The time allowed for this has passed.
    Expired,
    /// The password, code or token is wrong.
    WrongCredentials,
    /// The viewer must confirm their identity first: call `reauthenticate`, then send the request again.
    ReauthenticationRequired,
    /// This server requires a second factor. Until one is set up, only setting one up and signing out are allowed.
    SecondFactorRequired,
    /// The email address of the account is not verified yet.
    EmailNotVerified,
    /// Too many requests; `extensions.retryAfterMs` is the time to wait.
    RateLimited,
    /// A quota or count limit is reached.
    LimitReached,
    /// The document selects more than one request may; `extensions` names the limit and the figure.
    TooComplex,
    /// This server has the feature turned off.
    Disabled,
    /// The request contains the hash of a document, and this server stores no documents.
    PersistedQueryNotSupported,
    /// The operation took longer than allowed and was stopped.
    Timeout,
    /// A part that the server needs is down; try again.
    Unavailable,
    /// A fault of the server; `extensions.requestId` finds it in the logs.
    Internal,
}

/// One error code, for client developers.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct ErrorCodeInfo {
    /// The code.
    code: ErrorCode,
    /// What it means and what a client should do.
    meaning: &'static str,
    /// Whether repeating the same request may succeed.
    is_retryable: bool,
}

/// Describes every code, in the order of the enum.
#[must_use]
pub fn all() -> Vec<ErrorCodeInfo> {
    let codes = ErrorCode::items().iter().map(|item| item.value);
    codes.map(describe).collect()
}

fn describe(code: ErrorCode) -> ErrorCodeInfo {
    let (meaning, is_retryable) = match code {
        ErrorCode::Unauthenticated => (
            "The request has no valid session or token. Renew the session or sign in.",
            false,
        ),
        ErrorCode::Forbidden => (
            "The viewer may see the object but not do this to it. Hide the action.",
            false,
        ),
        ErrorCode::NotFound => (
            "Nothing visible to the viewer has this id: it is gone, hidden or never was. Drop it.",
            false,
        ),
        ErrorCode::BadUserInput => (
            "The input has problems. Show each of extensions.problems next to its field.",
            false,
        ),
        ErrorCode::Conflict => (
            "The object changed meanwhile, or the same key was sent with other content. Load it again.",
            false,
        ),
        ErrorCode::Expired => ("The time allowed for this has passed.", false),
        ErrorCode::WrongCredentials => (
            "The password or token is wrong. Prompt for it again; a session that cannot be renewed is \
             over.",
            false,
        ),
        ErrorCode::ReauthenticationRequired => (
            "The viewer must confirm their identity first. Call reauthenticate, then send the request again.",
            false,
        ),
        ErrorCode::SecondFactorRequired => (
            "The account needs a second factor. Offer to set up an authenticator app with startTotpSetup.",
            false,
        ),
        ErrorCode::EmailNotVerified => (
            "The address must be verified first. Offer to mail the link again with resendEmailVerification.",
            false,
        ),
        ErrorCode::RateLimited => (
            "Too many requests. Try again after extensions.retryAfterMs.",
            true,
        ),
        ErrorCode::LimitReached => (
            "A quota or count limit is reached. Something must be removed or reset first.",
            false,
        ),
        ErrorCode::TooComplex => (
            "The document selects more than one request may. Select less, or use several requests.",
            false,
        ),
        ErrorCode::Disabled => ("This server has the feature turned off.", false),
        ErrorCode::PersistedQueryNotSupported => (
            "The request contains the hash of a document, and this server stores no documents. Send the \
             text of the document.",
            false,
        ),
        ErrorCode::Timeout => (
            "The operation took longer than allowed and was stopped. Select less, or try again.",
            true,
        ),
        ErrorCode::Unavailable => (
            "A part that the server needs is down or too busy. Try again, less often each time.",
            true,
        ),
        ErrorCode::Internal => (
            "A fault of the server. Report extensions.requestId to its administrator.",
            false,
        ),
    };
    ErrorCodeInfo {
        code,
        meaning,
        is_retryable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_described_under_its_own_name() {
        let described = all();
        assert_eq!(described.len(), ErrorCode::items().len());
        for (info, item) in described.iter().zip(ErrorCode::items()) {
            assert_eq!(info.code, item.value);
            assert_eq!(Code::from(info.code).as_str(), item.name);
        }
    }
}
