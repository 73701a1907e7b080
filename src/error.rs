//! What can go wrong, sorted by what the client can do about it. Knows nothing of GraphQL or HTTP.

use std::{fmt, sync::Arc, time::Duration};

/// The closed list of codes that clients see; `ErrorCode` of the schema mirrors it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No valid session or token came with the request.
    Unauthenticated,
    /// The viewer may see the object but not do this to it.
    Forbidden,
    /// Nothing visible to the viewer has this id. Hidden and absent look alike.
    NotFound,
    /// The input has problems.
    BadUserInput,
    /// The object changed meanwhile, or the same key came with other content.
    Conflict,
    /// The time allowed for this has passed.
    Expired,
    /// The password or token is wrong.
    WrongCredentials,
    /// Too many requests.
    RateLimited,
    /// A quota or count limit is reached.
    LimitReached,
    /// The document asks for more than one request may.
    TooComplex,
    /// This server has the feature turned off.
    Disabled,
    /// The operation took longer than allowed and was stopped.
    Timeout,
    /// A part that the server needs is down.
    Unavailable,
    /// A fault of the server.
    Internal,
}

impl Code {
    /// The code as clients read it in `extensions.code`.
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
            Self::RateLimited => "RATE_LIMITED",
            Self::LimitReached => "LIMIT_REACHED",
            Self::TooComplex => "TOO_COMPLEX",
            Self::Disabled => "DISABLED",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// One thing that is wrong with one field of the input.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where: names and list indices from `input` on, for example `["input", "email"]`.
    pub path: Vec<String>,
    /// A stable name of the problem, for example `TAKEN` or `TOO_LONG`.
    pub code: &'static str,
    /// The problem in words that can be shown beside the field.
    pub message: String,
}

impl Problem {
    /// A problem with `input.<field>`.
    pub fn new(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        let path = vec!["input".to_owned(), field.to_owned()];
        Self {
            path,
            code,
            message: message.into(),
        }
    }
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    problems: Vec<Problem>,
    retry_after: Option<Duration>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with this code and this sentence for the client.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            problems: vec![],
            retry_after: None,
            cause: None,
        }
    }

    /// No valid session or token came with the request.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "Sign in first.")
    }

    /// The viewer may see the object but not do this to it.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// Nothing visible has this id; `what` is the noun, for example `conversation`.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// One field of the input is wrong.
    pub fn invalid(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::problems(vec![Problem::new(field, code, message)])
    }

    /// Some fields of the input are wrong; they are told all at once.
    #[must_use]
    pub fn problems(problems: Vec<Problem>) -> Self {
        let message = match problems.as_slice() {
            [only] => only.message.clone(),
            many => format!("The input has {} problems.", many.len()),
        };
        Self {
            problems,
            ..Self::new(Code::BadUserInput, message)
        }
    }

    /// Fails with all the problems at once, if there are any.
    pub fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self::problems(problems))
        }
    }

    /// The object changed meanwhile, or the same key came with other content.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// Too many requests; the same one may succeed after this time.
    #[must_use]
    pub fn rate_limited(retry_after: Duration) -> Self {
        let error = Self::new(Code::RateLimited, "Too many requests; try again later.");
        Self {
            retry_after: Some(retry_after),
            ..error
        }
    }

    /// A fault of the server; the cause goes to the log and never to the client.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = Self::new(Code::Internal, "Something went wrong on the server.");
        Self {
            cause: Some(Arc::from(cause.into())),
            ..error
        }
    }

    /// The code that clients see.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence that clients see.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// All that is wrong with the input.
    #[must_use]
    pub fn field_problems(&self) -> &[Problem] {
        &self.problems
    }

    /// When the same request may succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What lies behind an internal error, for the log.
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

impl From<sea_orm::DbErr> for Error {
    /// A database that cannot be reached is UNAVAILABLE, one that gave up waiting TIMEOUT, all else a fault of ours.
    fn from(cause: sea_orm::DbErr) -> Self {
        let Some((code, message)) = passing(&cause) else {
            return Self::internal(cause);
        };
        Self {
            cause: Some(Arc::new(cause)),
            ..Self::new(code, message)
        }
    }
}

/// What is told of a database that was away, or went away in the middle of a statement, or was too busy for it.
fn passing(cause: &sea_orm::DbErr) -> Option<(Code, &'static str)> {
    use sea_orm::{DbErr, RuntimeErr};
    const AWAY: (Code, &str) = (Code::Unavailable, "The database cannot be reached.");
    const FULL: (Code, &str) = (
        Code::Unavailable,
        "The server cannot store anything at the moment.",
    );
    const BUSY: (Code, &str) = (Code::Timeout, "The database took too long.");
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        cause
    else {
        return matches!(cause, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)).then_some(AWAY);
    };
    match cause.as_ref() {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Some(AWAY),
        sqlx::Error::Database(told) => match told.code().as_deref() {
            // PostgreSQL is stopping, has crashed, or is starting (its manual, appendix A).
            Some("57P01" | "57P02" | "57P03") => Some(AWAY),
            // PostgreSQL has no room on its disk or no memory (class 53), or its disk fails (58030).
            Some(code) if code.len() == 5 && (code.starts_with("53") || code == "58030") => {
                Some(FULL)
            }
            // PostgreSQL stopped a statement after its limit; somebody else writes to SQLite's file (SQLITE_BUSY).
            Some("57014" | "5") => Some(BUSY),
            // SQLITE_FULL, and SQLITE_IOERR with its extended codes, which have it in their lowest byte.
            Some(code) => match code.parse::<u32>().map(|code| code & 0xff) {
                Ok(10 | 13) if code.len() < 5 => Some(FULL),
                _ => None,
            },
            None => None,
        },
        _ => None,
    }
}
