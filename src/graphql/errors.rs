//! How an error looks from outside.

use async_graphql::{ErrorExtensionValues, Value};

use crate::error::{Code, Error};

/// An error on its way to a client. It is deliberately not printable: async-graphql publishes the text
/// of anything printable, so only the conversion below may apply.
#[derive(Clone, Debug)]
pub struct FieldError(Error);

/// What resolvers return.
pub type Result<T> = std::result::Result<T, FieldError>;

/// The value of a field that may be null. Its error then stays in the field, as the schema promises:
/// of a resolver that returns `Result<Option<T>>` the executor lets it take the parent and every
/// sibling along, so that one failed mutation would hide what the others did.
pub async fn nullable<T>(work: impl Future<Output = Result<Option<T>>>) -> Option<Result<T>> {
    work.await.transpose()
}

impl FieldError {
    /// The error itself.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl From<Error> for FieldError {
    /// An error of ours is logged here, once, and its cause goes no further.
    fn from(error: Error) -> Self {
        if let Some(cause) = error.cause() {
            tracing::error!(error.code = error.code().as_str(), %cause, "an operation failed");
        }
        Self(error)
    }
}

impl From<sea_orm::DbErr> for FieldError {
    fn from(cause: sea_orm::DbErr) -> Self {
        Error::from(cause).into()
    }
}

impl From<FieldError> for async_graphql::Error {
    fn from(FieldError(error): FieldError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code().as_str());
        if let Some(time) = error.retry_after() {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            extensions.set("retryAfterMs", millis);
        }
        if error.code() == Code::BadUserInput {
            let problems = async_graphql::to_value(error.field_problems());
            extensions.set("problems", problems.unwrap_or(Value::Null));
        }
        let mut refused = Self::new(error.message());
        refused.extensions = Some(extensions);
        refused
    }
}
