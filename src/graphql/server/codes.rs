//! Every error code and what a client should do about it.

use async_graphql::{Enum, SimpleObject};

use crate::error::Code;

/// Codes that `extensions.code` of a request error carries. Field problems come all together: a
/// BAD_USER_INPUT error lists them under `extensions.problems`, each with a `path` into `input`, a
/// `code` and a `message`. New codes may be added; treat an unknown one by its nearest HTTP meaning,
/// shown in the documentation.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Code")]
pub enum ErrorCode {
    /// No valid session or token came with the request.
    Unauthenticated,
    /// The viewer may see the object but not do this to it.
    Forbidden,
    /// Nothing visible to the viewer has this id. Hidden and absent look alike.
    NotFound,
    /// The input has problems; see `extensions.problems`.
    BadUserInput,
    /// The object changed since the version that was named, or the same key came with other content.
    Conflict,
    /// The time allowed for this has passed.
    Expired,
    /// The password, code or token is wrong.
    WrongCredentials,
    /// Too many requests; `extensions.retryAfterMs` says when to try again.
    RateLimited,
    /// A quota or count limit is reached.
    LimitReached,
    /// The document asks for more than one request may; `extensions` names the limit and the figure.
    TooComplex,
    /// This server has the feature turned off.
    Disabled,
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

/// Each code once, in the order of the enum.
#[must_use]
pub fn all() -> Vec<ErrorCodeInfo> {
    let known = [
        ErrorCode::Unauthenticated,
        ErrorCode::Forbidden,
        ErrorCode::NotFound,
        ErrorCode::BadUserInput,
        ErrorCode::Conflict,
        ErrorCode::Expired,
        ErrorCode::WrongCredentials,
        ErrorCode::RateLimited,
        ErrorCode::LimitReached,
        ErrorCode::TooComplex,
        ErrorCode::Disabled,
        ErrorCode::Timeout,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ];
    known
        .into_iter()
        .map(|code| {
            let (meaning, is_retryable) = about(code);
            ErrorCodeInfo {
                code,
                meaning,
                is_retryable,
            }
        })
        .collect()
}

/// What a code means, and whether repeating the same request may succeed.
fn about(code: ErrorCode) -> (&'static str, bool) {
    match code {
        ErrorCode::Unauthenticated => (
            "No valid session or token came with the request. Renew the session or sign in.",
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
            "The input has problems. Show each of extensions.problems beside its field.",
            false,
        ),
        ErrorCode::Conflict => (
            "The object changed meanwhile, or the same key came with other content. Load it again.",
            false,
        ),
        ErrorCode::Expired => ("The time allowed for this has passed.", false),
        ErrorCode::WrongCredentials => (
            "The password or token is wrong. Ask for it again; a session that cannot be renewed is \
             over.",
            false,
        ),
        ErrorCode::RateLimited => (
            "Too many requests. Try again after extensions.retryAfterMs.",
            true,
        ),
        ErrorCode::LimitReached => (
            "A quota or count limit is reached. Something must be given up or reset first.",
            false,
        ),
        ErrorCode::TooComplex => (
            "The document asks for more than one request may. Ask for less at once.",
            false,
        ),
        ErrorCode::Disabled => ("This server has the feature turned off.", false),
        ErrorCode::Timeout => (
            "The operation took longer than allowed and was stopped. Ask for less, or try again.",
            true,
        ),
        ErrorCode::Unavailable => (
            "A part that the server needs is down or too busy. Try again, less often each time.",
            true,
        ),
        ErrorCode::Internal => (
            "A fault of the server. Tell its administrator extensions.requestId.",
            false,
        ),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::resolver_utils::EnumType;

    use super::*;

    #[test]
    fn every_code_is_explained_under_its_own_name() {
        let told = all();
        assert_eq!(told.len(), ErrorCode::items().len());
        for (info, item) in told.iter().zip(ErrorCode::items()) {
            assert_eq!(info.code, item.value);
            assert_eq!(Code::from(info.code).as_str(), item.name);
        }
    }
}
