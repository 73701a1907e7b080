//! GraphQL responses: data and errors, limited in number and size, with a code in each error. Pure: sending a response
//! is up to the transports.

use std::io::{self, Write};

use async_graphql::{ErrorExtensionValues, PathSegment, Pos, Response, ServerError, Value};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use super::guard::{GuardError, MAX_ERRORS, Stage};
use super::negotiation::MediaType;
use crate::{
    error::{Code, Error},
    graphql::response_size::{MAX_BYTES, TOO_LARGE},
    request_scope,
};

/// Maximum length of an error message, in characters.
const MAX_MESSAGE_LENGTH: usize = 200;

/// Whether the operation of a request ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The request is not a valid GraphQL request. The status applies to all media types.
    HttpError(StatusCode),
    /// The request is valid, but its operation did not run.
    RequestError(StatusCode),
    /// The operation ran; some of its fields may have failed.
    Executed,
}

/// The role of a response in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamItem {
    /// An event.
    Event,
    /// The error that ends the stream, or prevents it.
    FinalError,
    /// An event could not be delivered. The stream ends without an error, and the client resumes it.
    Interrupted,
}

/// One error of a response.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ResponseError {
    /// The message for the client: one sentence.
    pub(super) message: String,
    /// Positions in the document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) locations: Vec<Pos>,
    /// The path of the field that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) path: Vec<PathSegment>,
    /// The `code` and its details.
    pub(super) extensions: ErrorExtensionValues,
}

/// A complete response.
#[derive(Debug)]
pub(super) struct GraphqlResponse {
    /// Whether the operation ran.
    pub(super) outcome: Outcome,
    /// Present if the operation ran.
    pub(super) data: Option<Value>,
    /// The errors of the request and of its fields.
    pub(super) errors: Vec<ResponseError>,
}

impl ResponseError {
    /// Creates an error that concerns no single field.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code.as_str());
        Self {
            message: message.into(),
            locations: Vec::new(),
            path: Vec::new(),
            extensions,
        }
    }

    /// Returns the error's code.
    #[must_use]
    pub(super) fn code(&self) -> &str {
        match self.extensions.get("code") {
            Some(Value::String(code)) => code,
            _ => Code::Internal.as_str(),
        }
    }

    fn internal() -> Self {
        Self::new(Code::Internal, "Something went wrong on the server.")
    }

    /// Converts an error of the executor. Errors of our resolvers have a code, and errors of its validation and
    /// argument parsing have none. Any other error without a code is internal and is masked.
    fn from_executor(error: ServerError, executed: bool) -> Self {
        let ServerError {
            message,
            locations,
            path,
            extensions,
            ..
        } = error;
        let with_code = extensions.filter(|extensions| extensions.get("code").is_some());
        let error = match with_code {
            Some(extensions) => Self {
                message,
                extensions,
                ..Self::internal()
            },
            None if !executed || message.starts_with("Failed to parse \"") => {
                Self::new(Code::BadUserInput, message)
            }
            None => {
                tracing::error!(
                    request.id = request_scope::request_id(),
                    error.message = %message,
                    "a field failed without a code"
                );
                Self::internal()
            }
        };
        Self {
            locations,
            path,
            message: truncate(&error.message),
            ..error
        }
    }
}

impl From<GuardError> for ResponseError {
    fn from(error: GuardError) -> Self {
        let mut converted = Self::new(error.code, truncate(&error.message));
        converted.locations.extend(error.at);
        if let Some(exceeded) = error.exceeded {
            let extensions = &mut converted.extensions;
            extensions.set("limit", exceeded.limit);
            extensions.set("maximum", exceeded.maximum);
            extensions.set("found", exceeded.found);
        }
        converted
    }
}

impl GraphqlResponse {
    /// Creates the response to a request that is not a valid GraphQL request, with this status for all media types.
    pub(super) fn http_error(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::HttpError(status),
            data: None,
            errors: vec![ResponseError::new(code, message)],
        }
    }

    /// Creates the response to a valid request whose operation does not run.
    pub(super) fn request_error(
        status: StatusCode,
        code: Code,
        message: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::RequestError(status),
            ..Self::http_error(status, code, message)
        }
    }

    /// Creates the response to an operation for which no budget is left.
    pub(super) fn rate_limited(error: &Error) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut response = Self::request_error(status, error.code(), error.message());
        if let Some(wait) = error.retry_after() {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            let errors = response.errors.iter_mut();
            errors.for_each(|error| error.extensions.set("retryAfterMs", millis));
        }
        response
    }

    /// Creates the response to a document that the guard rejects.
    #[must_use]
    pub(super) fn from_guard(errors: Vec<GuardError>) -> Self {
        let status = if errors.iter().any(|error| error.stage == Stage::Parsing) {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        Self {
            outcome: Outcome::RequestError(status),
            data: None,
            errors: errors
                .into_iter()
                .take(MAX_ERRORS)
                .map(ResponseError::from)
                .collect(),
        }
    }

    /// Creates the response to an internal error, which hides its cause.
    #[must_use]
    pub(super) fn internal() -> Self {
        Self {
            outcome: Outcome::RequestError(StatusCode::INTERNAL_SERVER_ERROR),
            data: None,
            errors: vec![ResponseError::internal()],
        }
    }

    /// Converts a response of the executor. If there is no data and no error has a path, the errors are those of
    /// validation, and the operation did not run.
    #[must_use]
    pub(super) fn executed(response: Response) -> Self {
        let ran = response.errors.is_empty()
            || response.data != Value::Null
            || response.errors.iter().any(|error| !error.path.is_empty());
        Self {
            outcome: if ran {
                Outcome::Executed
            } else {
                Outcome::RequestError(StatusCode::UNPROCESSABLE_ENTITY)
            },
            data: ran.then_some(response.data),
            errors: response
                .errors
                .into_iter()
                .take(MAX_ERRORS)
                .map(|error| ResponseError::from_executor(error, ran))
                .collect(),
        }
    }

    /// Adds the request id to internal errors, so that they can be found in the log.
    #[must_use]
    pub(super) fn with_request_id(mut self, request_id: &str) -> Self {
        for error in &mut self.errors {
            if error.code() == Code::Internal.as_str() {
                error.extensions.set("requestId", request_id);
            }
        }
        self
    }

    /// Returns the code of the first error.
    #[must_use]
    pub(super) fn code(&self) -> Option<&str> {
        self.errors.first().map(ResponseError::code)
    }

    /// Returns the role of this response in its stream. `first` is true for the first response.
    pub(super) fn stream_item(&mut self, first: bool) -> StreamItem {
        let is_empty = self.data.as_ref().is_none_or(|data| *data == Value::Null);
        if is_empty && !self.errors.is_empty() {
            if first {
                // The source stream could not be created.
                self.outcome = Outcome::RequestError(StatusCode::OK);
            } else if self.code() == Some(Code::Unavailable.as_str()) {
                return StreamItem::Interrupted;
            }
        }
        if self.outcome == Outcome::Executed {
            StreamItem::Event
        } else {
            StreamItem::FinalError
        }
    }

    /// Returns the HTTP status for this media type.
    #[must_use]
    pub(super) fn status(&self, media: MediaType) -> StatusCode {
        match (self.outcome, media) {
            (Outcome::HttpError(status), _)
            | (Outcome::RequestError(status), MediaType::GraphqlResponse) => status,
            (Outcome::RequestError(_), MediaType::Json) | (Outcome::Executed, _) => StatusCode::OK,
        }
    }

    /// Encodes the response as JSON. A response that is too large becomes a `TOO_COMPLEX` error.
    #[must_use]
    pub(super) fn encode(&self) -> Bytes {
        self.encode_within(MAX_BYTES)
    }

    fn encode_within(&self, max_bytes: usize) -> Bytes {
        let mut out = LimitedWriter {
            bytes: Vec::with_capacity(1024),
            left: max_bytes,
        };
        if write_body(&mut out, &self.errors, self.data.as_ref()).is_ok() {
            return out.bytes.into();
        }
        let mut error = ResponseError::new(Code::TooComplex, TOO_LARGE);
        error.extensions.set("limit", "answerBytes");
        error.extensions.set("maximum", max_bytes);
        let mut out = Vec::new();
        // Writing to memory cannot fail.
        let _ = write_body(&mut out, &[error], Some(&Value::Null));
        out.into()
    }
}

fn write_body(
    out: &mut impl Write,
    errors: &[ResponseError],
    data: Option<&Value>,
) -> io::Result<()> {
    out.write_all(b"{")?;
    if !errors.is_empty() {
        out.write_all(b"\"errors\":")?;
        serde_json::to_writer(&mut *out, errors)?;
    }
    if let Some(data) = data {
        out.write_all(if errors.is_empty() {
            b"\"data\":"
        } else {
            b",\"data\":"
        })?;
        write_value(out, data)?;
    }
    out.write_all(b"}")
}

/// Writes a value as JSON. The fast path for lists (`graphql/list_plan`) serialises to JSON itself and returns it as a
/// binary value; no other value is binary.
fn write_value(out: &mut impl Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Binary(written) => out.write_all(written),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                out.write_all(if index == 0 { b"[" } else { b"," })?;
                write_value(out, item)?;
            }
            out.write_all(if items.is_empty() { b"[]" } else { b"]" })
        }
        Value::Object(fields) => {
            for (index, (name, value)) in fields.iter().enumerate() {
                out.write_all(if index == 0 { b"{" } else { b"," })?;
                serde_json::to_writer(&mut *out, name.as_str())?;
                out.write_all(b":")?;
                write_value(out, value)?;
            }
            out.write_all(if fields.is_empty() { b"{}" } else { b"}" })
        }
        leaf => Ok(serde_json::to_writer(out, leaf)?),
    }
}

/// Fails when more than the remaining bytes are written.
struct LimitedWriter {
    bytes: Vec<u8>,
    left: usize,
}

impl Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or_else(|| io::Error::other("the response is too large"))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn truncate(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_LENGTH) {
        None => message.to_owned(),
        Some(_) => message
            .chars()
            .take(MAX_MESSAGE_LENGTH - 1)
            .chain(['…'])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;
    use serde_json::{Value as Json, json};

    use super::*;

    fn json(response: &GraphqlResponse) -> Json {
        serde_json::from_slice(&response.encode()).unwrap()
    }

    fn failed(message: &str, path: bool) -> ServerError {
        ServerError {
            path: path
                .then(|| PathSegment::Field("a".to_owned()))
                .into_iter()
                .collect(),
            ..ServerError::new(message, Some(Pos { line: 1, column: 3 }))
        }
    }

    #[test]
    fn validation_errors_have_no_data_and_a_code() {
        let response =
            GraphqlResponse::executed(Response::from_errors(vec![failed("Unknown field.", false)]));
        assert_eq!(
            response.outcome,
            Outcome::RequestError(StatusCode::UNPROCESSABLE_ENTITY)
        );
        assert_eq!(response.status(MediaType::Json), StatusCode::OK);
        assert_eq!(
            response.status(MediaType::GraphqlResponse),
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            json(&response),
            json!({"errors": [{"message": "Unknown field.", "locations": [{"line": 1, "column": 3}],
                "extensions": {"code": "BAD_USER_INPUT"}}]})
        );
    }

    #[test]
    fn a_failed_root_field_counts_as_executed() {
        let response =
            GraphqlResponse::executed(Response::from_errors(vec![failed("secret", true)]));
        assert_eq!(response.outcome, Outcome::Executed);
        assert_eq!(json(&response)["data"], Json::Null);
        assert!(json(&response).as_object().unwrap().contains_key("data"));
    }

    #[test]
    fn errors_without_a_code_are_masked_and_have_a_request_id() {
        let response =
            GraphqlResponse::executed(Response::from_errors(vec![failed("db at 10.0.0.1", true)]))
                .with_request_id("abc");
        let error = &json(&response)["errors"][0];
        assert_eq!(
            error["extensions"],
            json!({"code": "INTERNAL", "requestId": "abc"})
        );
        assert!(!error.to_string().contains("10.0.0.1"));
    }

    #[test]
    fn errors_with_a_code_keep_message_and_extensions() {
        let mut error = failed("Taken.", true);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", "CONFLICT");
        extensions.set("retryAfterMs", 5);
        error.extensions = Some(extensions);
        let mut response = Response::new(value!({"a": null}));
        response.errors.push(error);
        let error = &json(&GraphqlResponse::executed(response))["errors"][0];
        assert_eq!(
            error["extensions"],
            json!({"code": "CONFLICT", "retryAfterMs": 5})
        );
        assert_eq!(
            (&error["message"], &error["path"]),
            (&json!("Taken."), &json!(["a"]))
        );
    }

    #[test]
    fn invalid_arguments_are_bad_user_input() {
        let error = failed("Failed to parse \"DateTime\": bad", true);
        let response = GraphqlResponse::executed(Response::from_errors(vec![error]));
        assert_eq!(response.code(), Some("BAD_USER_INPUT"));
    }

    #[test]
    fn errors_are_limited_in_number_and_length() {
        let errors = (0..50).map(|_| failed(&"ü".repeat(5000), false)).collect();
        let response = GraphqlResponse::executed(Response::from_errors(errors));
        assert_eq!(response.errors.len(), MAX_ERRORS);
        assert!(
            response
                .errors
                .iter()
                .all(|error| error.message.chars().count() == 200)
        );
    }

    #[test]
    fn a_response_that_is_too_large_becomes_an_error() {
        let response = GraphqlResponse::executed(Response::new(value!({"a": "0123456789"})));
        assert_eq!(
            response.encode_within(100).as_ref(),
            br#"{"data":{"a":"0123456789"}}"#
        );
        let small: Json = serde_json::from_slice(&response.encode_within(20)).unwrap();
        assert_eq!(small["errors"][0]["extensions"]["limit"], "answerBytes");
        assert_eq!(small["data"], Json::Null);
    }
}
