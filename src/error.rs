//! The error type of all modules. Its codes are grouped by what a client can do about an error. It does not depend on
//! GraphQL or HTTP.

use std::{fmt, sync::Arc, time::Duration};

/// The error codes that clients receive. The list is closed, and `ErrorCode` in the schema mirrors it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request has no valid access token.
    Unauthenticated,
    /// The viewer may see the object, but may not perform this operation on it.
    Forbidden,
    /// No object that the viewer may see has this id. Hidden and missing objects return the same error.
    NotFound,
    /// The input is invalid.
    BadUserInput,
    /// The object was changed concurrently, or an idempotency key was reused for different content.
    Conflict,
    /// The time for this operation is over.
    Expired,
    /// The password or token is wrong.
    WrongCredentials,
    /// The viewer must confirm their identity first.
    ReauthenticationRequired,
    /// The account needs a second factor, which is not set up yet.
    SecondFactorRequired,
    /// The email address of the account is not verified yet.
    EmailNotVerified,
    /// Too many requests.
    RateLimited,
    /// A quota or count limit is reached.
    LimitReached,
    /// The request exceeds a limit on size or cost.
    TooComplex,
    /// The feature is disabled on this server.
    Disabled,
    /// The request names a stored document by its hash, and the server stores none.
    PersistedQueryNotSupported,
    /// The operation took longer than allowed and was stopped.
    Timeout,
    /// A service that the server depends on is unavailable.
    Unavailable,
    /// An internal error of the server.
    Internal,
}

impl Code {
    /// Returns the code as it appears in `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Conflict => "CONFLICT",
            Self::Expired => "EXPIRED",
            Self::WrongCredentials => "WRONG_CREDENTIALS",
            Self::ReauthenticationRequired => "REAUTHENTICATION_REQUIRED",
            Self::SecondFactorRequired => "SECOND_FACTOR_REQUIRED",
            Self::EmailNotVerified => "EMAIL_NOT_VERIFIED",
            Self::RateLimited => "RATE_LIMITED",
            Self::LimitReached => "LIMIT_REACHED",
            Self::TooComplex => "TOO_COMPLEX",
            Self::Disabled => "DISABLED",
            Self::PersistedQueryNotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// A reason why one field of the input is invalid.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The path of the field: names and list indices, starting with `input`, for example `["input", "email"]`.
    pub path: Vec<String>,
    /// A stable code for the problem, for example `TAKEN` or `TOO_LONG`.
    pub code: &'static str,
    /// A message that can be displayed next to the field.
    pub message: String,
}

impl Problem {
    /// Creates a problem with `input.<field>`.
    pub fn new(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        let path = vec!["input".to_owned(), field.to_owned()];
        Self {
            path,
            code,
            message: message.into(),
        }
    }

    /// Creates a problem with the argument of a field.
    pub fn argument(name: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            path: vec![name.to_owned()],
            code,
            message: message.into(),
        }
    }

    /// Creates a problem with `input.<field>` unless the field is valid.
    pub fn unless(
        is_valid: bool,
        field: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Option<Self> {
        (!is_valid).then(|| Self::new(field, code, message))
    }
}

/// The largest number of problems that clients receive with one error.
pub const MAX_PROBLEMS: usize = 50;

/// An error with a code, a message for the client and, for internal errors, a cause for the log.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    problems: Vec<Problem>,
    retry_after: Option<Duration>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Creates an error with this code and this message for the client.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            problems: vec![],
            retry_after: None,
            cause: None,
        }
    }

    /// Creates the error for a request without a valid access token.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "Sign in first.")
    }

    /// Creates the error for an operation that the viewer may not perform.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// Creates the error for a missing or hidden object; `what` is its noun, for example `conversation`.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// Creates the error for one invalid field of the input.
    pub fn invalid(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::problems(vec![Problem::new(field, code, message)])
    }

    /// Creates the error for all invalid fields of the input. Clients receive [`MAX_PROBLEMS`] of them. One more is
    /// kept, so that the message is right when the problems of two errors are combined.
    #[must_use]
    pub fn problems(mut problems: Vec<Problem>) -> Self {
        problems.truncate(MAX_PROBLEMS + 1);
        let message = match problems.as_slice() {
            [only] => only.message.clone(),
            many if many.len() > MAX_PROBLEMS => {
                format!("The input has more than {MAX_PROBLEMS} problems.")
            }
            many => format!("The input has {} problems.", many.len()),
        };
        Self {
            problems,
            ..Self::new(Code::BadUserInput, message)
        }
    }

    /// Creates the error for a viewer who has to set up a second factor before anything else.
    #[must_use]
    pub fn lacks_second_factor() -> Self {
        let message = "This server requires a second factor. Set up an authenticator app first.";
        Self::new(Code::SecondFactorRequired, message)
    }

    /// Fails with all problems in one error, if there are any.
    pub fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self::problems(problems))
        }
    }

    /// Creates the error for a concurrent change, or for an idempotency key that was reused for different content.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// Creates the error for too many requests. A retry may succeed after `retry_after`.
    #[must_use]
    pub fn rate_limited(retry_after: Duration) -> Self {
        let error = Self::new(Code::RateLimited, "Too many requests; try again later.");
        Self {
            retry_after: Some(retry_after),
            ..error
        }
    }

    /// Creates an internal error. The cause is logged and never sent to the client.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = Self::new(Code::Internal, "Something went wrong on the server.");
        Self {
            cause: Some(Arc::from(cause.into())),
            ..error
        }
    }

    /// Returns the error's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the message for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the problems of the input, at most one more than clients receive.
    #[must_use]
    pub fn field_problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the time after which a retry may succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the cause, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether the database cannot write because its disk is full or broken.
    #[must_use]
    pub fn is_disk_failure(&self) -> bool {
        self.code == FULL.0 && self.message == FULL.1
    }
}

impl From<sea_orm::DbErr> for Error {
    /// Converts an unreachable or full database to UNAVAILABLE, a statement timeout to TIMEOUT, and any other error to
    /// INTERNAL.
    fn from(cause: sea_orm::DbErr) -> Self {
        let Some((code, message)) = temporary_failure(&cause) else {
            return Self::internal(cause);
        };
        Self {
            cause: Some(Arc::new(cause)),
            ..Self::new(code, message)
        }
    }
}

/// The code and the message for a database that cannot write.
const FULL: (Code, &str) = (
    Code::Unavailable,
    "The server has no room to store data: try again later.",
);

/// Returns the code and the message for a database that is unreachable, full or too slow.
fn temporary_failure(cause: &sea_orm::DbErr) -> Option<(Code, &'static str)> {
    use sea_orm::{DbErr, RuntimeErr};
    const UNREACHABLE: (Code, &str) = (
        Code::Unavailable,
        "The database cannot be reached: try again later.",
    );
    const BUSY: (Code, &str) = (
        Code::Timeout,
        "The database took too long: try again later.",
    );
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        cause
    else {
        return matches!(cause, DbErr::ConnectionAcquire(_) | DbErr::Conn(_))
            .then_some(UNREACHABLE);
    };
    match cause.as_ref() {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Some(UNREACHABLE),
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // PostgreSQL is stopping, has crashed, or is starting (PostgreSQL manual, appendix A).
            Some("57P01" | "57P02" | "57P03") => Some(UNREACHABLE),
            // PostgreSQL has no disk space or memory left (class 53), or its disk fails (58030).
            Some(code) if code.len() == 5 && (code.starts_with("53") || code == "58030") => {
                Some(FULL)
            }
            // PostgreSQL cancelled a statement after its timeout. Another process writes to the SQLite file (SQLITE_BUSY),
            // or a statement passed its deadline (SQLITE_INTERRUPT).
            Some("57014" | "5" | "9") => Some(BUSY),
            // SQLITE_FULL, and SQLITE_IOERR, whose extended codes contain it in their lowest byte.
            Some(code) => match code.parse::<u32>().map(|code| code & 0xff) {
                Ok(10 | 13) if code.len() < 5 => Some(FULL),
                _ => None,
            },
            None => None,
        },
        _ => None,
    }
}
