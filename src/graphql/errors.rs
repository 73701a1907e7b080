//! The conversion of errors into GraphQL errors.

use async_graphql::{ErrorExtensionValues, Value};

use crate::{
    error::{Code, Error, MAX_PROBLEMS},
    request_scope,
};

/// An error that a resolver returns. It deliberately does not implement `Display`: async-graphql publishes the text of
/// every error that does, so that only the conversion below may apply.
#[derive(Clone, Debug)]
pub struct FieldError(Error);

/// The result of a resolver.
pub type Result<T> = std::result::Result<T, FieldError>;

/// Resolves a nullable field. Its error stays in the field, as the schema promises. If a resolver returned
/// `Result<Option<T>>` instead, the executor would set the parent to null too, so that one failed mutation would hide
/// the results of the others.
pub async fn nullable<T>(work: impl Future<Output = Result<Option<T>>>) -> Option<Result<T>> {
    work.await.transpose()
}

impl FieldError {
    /// The error.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl From<Error> for FieldError {
    /// Logs the cause of an internal error. Clients do not receive it.
    fn from(error: Error) -> Self {
        if let Some(cause) = error.cause() {
            tracing::error!(
                request.id = request_scope::request_id(),
                error.code = error.code().as_str(),
                %cause,
                "an operation failed"
            );
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
            let problems = error.field_problems();
            let problems = problems.get(..MAX_PROBLEMS).unwrap_or(problems);
            let problems = async_graphql::to_value(problems);
            extensions.set("problems", problems.unwrap_or(Value::Null));
        }
        let mut converted = Self::new(error.message());
        converted.extensions = Some(extensions);
        converted
    }
}
