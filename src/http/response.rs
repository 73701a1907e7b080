//! What goes back: data and errors, bounded in number and size, each error with a code from the closed list. Pure.

use std::collections::BTreeMap;
use std::io::{self, Write};

use async_graphql::{PathSegment, Pos, Response, ServerError, Value};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use super::guard::{GuardError, MAX_ERRORS, Stage};
use super::negotiation::MediaType;
use crate::error::Code;

/// Longest error message, in characters.
const MESSAGE_LENGTH: usize = 200;

/// Largest answer, in bytes.
const MOST_BYTES: usize = 5 * 1024 * 1024;

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is no GraphQL request. The status stands whatever type the client accepts.
    Rejected(StatusCode),
    /// It is one, but its operation did not run.
    Refused(StatusCode),
    /// The operation ran; some of its fields may have failed.
    Executed,
}

/// What an answer is to the stream that it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An event.
    Event,
    /// Why there is no stream, or none any more. Nothing follows.
    Refusal,
    /// Something happened that could not be told. Nothing follows; the client resumes.
    Break,
}

/// One error of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ResponseError {
    /// One sentence.
    pub(super) message: String,
    /// Places in the document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) locations: Vec<Pos>,
    /// The field that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) path: Vec<PathSegment>,
    /// `code`, and what belongs to it.
    pub(super) extensions: BTreeMap<String, Value>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct GraphqlResponse {
    /// How far the request came.
    pub(super) outcome: Outcome,
    /// Absent unless the operation ran.
    pub(super) data: Option<Value>,
    /// What went wrong.
    pub(super) errors: Vec<ResponseError>,
}

impl ResponseError {
    /// An error of ours about the request as a whole.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            locations: Vec::new(),
            path: Vec::new(),
            extensions: BTreeMap::from([("code".to_owned(), Value::from(code.as_str()))]),
        }
    }

    /// The code.
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

    /// An error of the executor. Those of our resolvers carry a code; those of its own validation and argument
    /// parsing do not, and anything else without one was never meant to be seen.
    fn from_executor(error: ServerError, executed: bool) -> Self {
        let ServerError {
            message,
            locations,
            path,
            extensions,
            ..
        } = error;
        let coded = extensions.filter(|extensions| extensions.get("code").is_some());
        let told = match coded {
            Some(extensions) => Self {
                message,
                extensions: serde_json::to_value(extensions)
                    .ok()
                    .and_then(|json| Value::from_json(json).ok())
                    .and_then(|value| match value {
                        Value::Object(map) => Some(map),
                        _ => None,
                    })
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.to_string(), value))
                    .collect(),
                ..Self::internal()
            },
            None if !executed || message.starts_with("Failed to parse \"") => {
                Self::new(Code::BadUserInput, truncate(&message))
            }
            None => {
                tracing::error!(error.message = %message, "a field failed without a code");
                Self::internal()
            }
        };
        Self {
            locations,
            path,
            message: truncate(&told.message),
            ..told
        }
    }
}

impl From<GuardError> for ResponseError {
    fn from(refusal: GuardError) -> Self {
        let mut told = Self::new(refusal.code, truncate(&refusal.message));
        told.locations.extend(refusal.at);
        if let Some(excess) = refusal.excess {
            let figures = [
                ("limit", Value::from(excess.limit)),
                ("maximum", Value::from(excess.maximum)),
                ("found", Value::from(excess.found)),
            ];
            told.extensions
                .extend(figures.map(|(name, value)| (name.to_owned(), value)));
        }
        told
    }
}

impl GraphqlResponse {
    /// The request is none.
    pub(super) fn rejected(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Rejected(status),
            data: None,
            errors: vec![ResponseError::new(code, message)],
        }
    }

    /// The operation does not run.
    pub(super) fn refused(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Refused(status),
            ..Self::rejected(status, code, message)
        }
    }

    /// The guard turned the document away.
    #[must_use]
    pub(super) fn guarded(refusals: Vec<GuardError>) -> Self {
        let reading = refusals
            .iter()
            .any(|refusal| refusal.stage == Stage::Reading);
        let status = if reading {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        Self {
            outcome: Outcome::Refused(status),
            data: None,
            errors: refusals
                .into_iter()
                .take(MAX_ERRORS)
                .map(ResponseError::from)
                .collect(),
        }
    }

    /// A fault of ours where an answer should be.
    #[must_use]
    pub(super) fn internal() -> Self {
        Self {
            outcome: Outcome::Refused(StatusCode::INTERNAL_SERVER_ERROR),
            data: None,
            errors: vec![ResponseError::internal()],
        }
    }

    /// What the executor answered. Errors that name no field, beside no data, come from validation: nothing ran.
    #[must_use]
    pub(super) fn executed(response: Response) -> Self {
        let ran = response.errors.is_empty()
            || response.data != Value::Null
            || response.errors.iter().any(|error| !error.path.is_empty());
        Self {
            outcome: if ran {
                Outcome::Executed
            } else {
                Outcome::Refused(StatusCode::UNPROCESSABLE_ENTITY)
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

    /// Lets faults of ours be found in the log.
    #[must_use]
    pub(super) fn with_request_id(mut self, request_id: &str) -> Self {
        for error in &mut self.errors {
            if error.code() == Code::Internal.as_str() {
                error
                    .extensions
                    .insert("requestId".to_owned(), Value::from(request_id));
            }
        }
        self
    }

    /// The first error's code.
    #[must_use]
    pub(super) fn code(&self) -> Option<&str> {
        self.errors.first().map(ResponseError::code)
    }

    /// What this is to its stream, of which it may be the first.
    pub(super) fn part(&mut self, first: bool) -> Part {
        let is_empty = self.data.as_ref().is_none_or(|data| *data == Value::Null);
        if is_empty && !self.errors.is_empty() {
            if first {
                // A source that could not be made is no event.
                self.outcome = Outcome::Refused(StatusCode::OK);
            } else if self.code() == Some(Code::Unavailable.as_str()) {
                return Part::Break;
            }
        }
        if self.outcome == Outcome::Executed {
            Part::Event
        } else {
            Part::Refusal
        }
    }

    /// The status for a client that accepts `media`.
    #[must_use]
    pub(super) fn status(&self, media: MediaType) -> StatusCode {
        match (self.outcome, media) {
            (Outcome::Rejected(status), _)
            | (Outcome::Refused(status), MediaType::GraphqlResponse) => status,
            (Outcome::Refused(_), MediaType::Json) | (Outcome::Executed, _) => StatusCode::OK,
        }
    }

    /// The answer as JSON. One that is too large becomes an error that says so.
    #[must_use]
    pub(super) fn encode(&self) -> Bytes {
        self.encode_within(MOST_BYTES)
    }

    fn encode_within(&self, most: usize) -> Bytes {
        let mut out = Bounded {
            bytes: Vec::with_capacity(1024),
            left: most,
        };
        if write_body(&mut out, &self.errors, self.data.as_ref()).is_ok() {
            return out.bytes.into();
        }
        let mut told = ResponseError::new(
            Code::TooComplex,
            "The answer is larger than one request may have: ask for fewer items or fields.",
        );
        let figures = [("limit", "answerBytes".into()), ("maximum", most.into())];
        let figures = figures.map(|(name, value): (&str, Value)| (name.to_owned(), value));
        told.extensions.extend(figures);
        let mut out = Vec::new();
        // There is always room in memory.
        let _ = write_body(&mut out, &[told], Some(&Value::Null));
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

/// Lists that were told at once come as what they are in JSON (`graphql/plain`), which is all that is ever binary here.
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

/// Writes until there is no room left.
struct Bounded {
    bytes: Vec<u8>,
    left: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or_else(|| io::Error::other("the answer is too large"))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn truncate(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_LENGTH) {
        None => message.to_owned(),
        Some(_) => message
            .chars()
            .take(MESSAGE_LENGTH - 1)
            .chain(['…'])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{ErrorExtensionValues, value};
    use serde_json::{Value as Json, json};

    use super::*;

    fn json(answer: &GraphqlResponse) -> Json {
        serde_json::from_slice(&answer.encode()).unwrap()
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
        let answer =
            GraphqlResponse::executed(Response::from_errors(vec![failed("Unknown field.", false)]));
        assert_eq!(
            answer.outcome,
            Outcome::Refused(StatusCode::UNPROCESSABLE_ENTITY)
        );
        assert_eq!(answer.status(MediaType::Json), StatusCode::OK);
        assert_eq!(
            answer.status(MediaType::GraphqlResponse),
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            json(&answer),
            json!({"errors": [{"message": "Unknown field.", "locations": [{"line": 1, "column": 3}],
                "extensions": {"code": "BAD_USER_INPUT"}}]})
        );
    }

    #[test]
    fn a_failed_root_still_counts_as_run() {
        let answer = GraphqlResponse::executed(Response::from_errors(vec![failed("secret", true)]));
        assert_eq!(answer.outcome, Outcome::Executed);
        assert_eq!(json(&answer)["data"], Json::Null);
        assert!(json(&answer).as_object().unwrap().contains_key("data"));
    }

    #[test]
    fn what_has_no_code_is_masked_and_can_be_found() {
        let answer =
            GraphqlResponse::executed(Response::from_errors(vec![failed("db at 10.0.0.1", true)]))
                .with_request_id("abc");
        let error = &json(&answer)["errors"][0];
        assert_eq!(
            error["extensions"],
            json!({"code": "INTERNAL", "requestId": "abc"})
        );
        assert!(!error.to_string().contains("10.0.0.1"));
    }

    #[test]
    fn what_has_a_code_keeps_all_it_says() {
        let mut error = failed("Taken.", true);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", "CONFLICT");
        extensions.set("retryAfterMs", 5);
        error.extensions = Some(extensions);
        let mut response = Response::new(value!({"a": null}));
        response.errors.push(error);
        let told = &json(&GraphqlResponse::executed(response))["errors"][0];
        assert_eq!(
            told["extensions"],
            json!({"code": "CONFLICT", "retryAfterMs": 5})
        );
        assert_eq!(
            (&told["message"], &told["path"]),
            (&json!("Taken."), &json!(["a"]))
        );
    }

    #[test]
    fn arguments_that_cannot_be_parsed_are_the_clients_fault() {
        let error = failed("Failed to parse \"DateTime\": bad", true);
        let answer = GraphqlResponse::executed(Response::from_errors(vec![error]));
        assert_eq!(answer.code(), Some("BAD_USER_INPUT"));
    }

    #[test]
    fn errors_are_few_and_short() {
        let errors = (0..50).map(|_| failed(&"ü".repeat(5000), false)).collect();
        let answer = GraphqlResponse::executed(Response::from_errors(errors));
        assert_eq!(answer.errors.len(), MAX_ERRORS);
        assert!(
            answer
                .errors
                .iter()
                .all(|error| error.message.chars().count() == 200)
        );
    }

    #[test]
    fn an_answer_that_is_too_large_says_so() {
        let answer = GraphqlResponse::executed(Response::new(value!({"a": "0123456789"})));
        assert_eq!(
            answer.encode_within(100).as_ref(),
            br#"{"data":{"a":"0123456789"}}"#
        );
        let small: Json = serde_json::from_slice(&answer.encode_within(20)).unwrap();
        assert_eq!(small["errors"][0]["extensions"]["limit"], "answerBytes");
        assert_eq!(small["data"], Json::Null);
    }
}
