//! The parameters of a GraphQL request, parsed from a body, a query string or a WebSocket message. Pure.

use http::StatusCode;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value as Json, value::RawValue};

use super::response::GraphqlResponse;
use crate::error::Code;

/// The parameters of one GraphQL request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GraphqlRequest {
    /// The text of the document.
    pub(super) query: String,
    /// The operation to run, if the document has several.
    pub(super) operation_name: Option<String>,
    /// The values of the operation's variables.
    pub(super) variables: Map<String, Json>,
}

/// Why parameters cannot be executed, with one sentence that does not quote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestFault {
    /// They are not those of a GraphQL request.
    Shape(&'static str),
    /// They are valid JSON with a value that the server cannot represent.
    Value(&'static str),
    /// They name a stored document by its hash (Apollo's automatic persisted queries) and this server stores none.
    /// Clients then send the document.
    PersistedQuery,
}

/// The byte order mark, which programs on Windows write before a text. A reader may ignore it (RFC 8259, section 8.1).
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Parses a JSON text. `what` is the reason if it is not one.
fn parse<T: DeserializeOwned>(text: &[u8], what: &'static str) -> Result<T, RequestFault> {
    let text = text
        .strip_prefix(BYTE_ORDER_MARK.as_bytes())
        .unwrap_or(text);
    serde_json::from_slice(text).map_err(|_error| {
        if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
            RequestFault::UNREPRESENTABLE
        } else {
            RequestFault::Shape(what)
        }
    })
}

impl RequestFault {
    const UNREPRESENTABLE: Self = Self::Value(
        "The JSON contains half of a surrogate pair, a number that is too large, or more than 127 levels.",
    );

    /// The sentence.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Shape(reason) | Self::Value(reason) => reason,
            // Clients compare it with this text.
            Self::PersistedQuery => "PersistedQueryNotSupported",
        }
    }

    /// The response.
    pub(super) fn response(self) -> GraphqlResponse {
        let (status, reason) = (StatusCode::BAD_REQUEST, self.reason());
        if self == Self::PersistedQuery {
            // A client reads the errors of a JSON response only if its status is 200.
            let code = Code::PersistedQueryNotSupported;
            return GraphqlResponse::request_error(status, code, reason);
        }
        GraphqlResponse::http_error(status, Code::BadUserInput, reason)
    }
}

impl GraphqlRequest {
    /// Parses the body of a POST.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, RequestFault> {
        Self::from_json(parse(body, "The body must be valid JSON in UTF-8.")?)
    }

    /// Parses the payload of a `subscribe` message, which is valid JSON.
    pub(super) fn from_payload(payload: &RawValue) -> Result<Self, RequestFault> {
        let payload = payload.get().as_bytes();
        Self::from_json(parse(payload, "The payload must be valid JSON.")?)
    }

    fn from_json(json: Json) -> Result<Self, RequestFault> {
        let mut map = match json {
            Json::Object(map) => map,
            Json::Array(_) => {
                return Err(RequestFault::Shape(
                    "Batches are not supported: send one operation per request.",
                ));
            }
            _ => {
                return Err(RequestFault::Shape(
                    "A request must be a JSON object with the field `query`.",
                ));
            }
        };
        let extensions = object(map.remove("extensions"), "`extensions` must be an object.")?;
        let is_persisted = extensions
            .get("persistedQuery")
            .is_some_and(Json::is_object);
        let query = match map.remove("query") {
            None | Some(Json::Null) if is_persisted => return Err(RequestFault::PersistedQuery),
            Some(Json::String(query)) if is_persisted && query.is_empty() => {
                return Err(RequestFault::PersistedQuery);
            }
            Some(Json::String(query)) => query,
            Some(_) => return Err(RequestFault::Shape("`query` must be a string.")),
            None => {
                return Err(RequestFault::Shape(
                    "`query` is missing: send the document in it.",
                ));
            }
        };
        let operation_name = match map.remove("operationName") {
            None | Some(Json::Null) => None,
            Some(Json::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return Err(RequestFault::Shape("`operationName` must be a string.")),
        };
        let variables = object(map.remove("variables"), "`variables` must be an object.")?;
        Ok(Self {
            query,
            operation_name,
            variables,
        })
    }

    /// Parses the query string of a GET.
    pub(super) fn from_query_string(text: &str) -> Result<Self, RequestFault> {
        let mut map = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = match name.as_ref() {
                "query" | "operationName" => Json::String(value.into_owned()),
                "variables" | "extensions" if value.is_empty() => continue,
                "variables" => parse(value.as_bytes(), "`variables` must be valid JSON.")?,
                "extensions" => parse(value.as_bytes(), "`extensions` must be valid JSON.")?,
                _ => continue,
            };
            if map.insert(name.into_owned(), value).is_some() {
                return Err(RequestFault::Shape(
                    "A parameter is given twice: send it once.",
                ));
            }
        }
        Self::from_json(Json::Object(map))
    }
}

fn object(value: Option<Json>, reason: &'static str) -> Result<Map<String, Json>, RequestFault> {
    match value {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(map)) => Ok(map),
        Some(_) => Err(RequestFault::Shape(reason)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_and_a_query_string_are_equivalent() {
        let body = json!({"query": "{ a }", "operationName": "A", "variables": {"x": [1]}, "extensions": {}});
        let from_body = GraphqlRequest::from_body(body.to_string().as_bytes()).unwrap();
        let from_query = GraphqlRequest::from_query_string(
            "query=%7B+a+%7D&operationName=A&variables=%7B%22x%22%3A%5B1%5D%7D&other=1",
        )
        .unwrap();
        assert_eq!(from_body, from_query);
        assert_eq!(from_body.variables.get("x"), Some(&json!([1])));
    }

    #[test]
    fn absent_and_null_parameters_are_equivalent() {
        let short = GraphqlRequest::from_body(b"{\"query\":\"{ a }\"}").unwrap();
        let long =
            json!({"query": "{ a }", "operationName": null, "variables": null, "extensions": null});
        assert_eq!(GraphqlRequest::from_json(long).unwrap(), short);
        assert_eq!(
            GraphqlRequest::from_query_string("query=%7B+a+%7D&operationName=&variables=").unwrap(),
            short
        );
    }

    #[test]
    fn an_invalid_parameter_is_named() {
        let cases = [
            ("", "JSON"),
            ("{\"query\":", "JSON"),
            ("[{\"query\":\"{ a }\"}]", "Batches"),
            ("[]", "Batches"),
            ("1", "object"),
            ("{}", "`query`"),
            ("{\"query\":1}", "`query`"),
            (
                "{\"query\":\"{ a }\",\"operationName\":1}",
                "`operationName`",
            ),
            ("{\"query\":\"{ a }\",\"variables\":[]}", "`variables`"),
            ("{\"query\":\"{ a }\",\"variables\":\"{}\"}", "`variables`"),
            ("{\"query\":\"{ a }\",\"extensions\":0}", "`extensions`"),
        ];
        for (body, name) in cases {
            let fault = GraphqlRequest::from_body(body.as_bytes()).unwrap_err();
            assert!(matches!(fault, RequestFault::Shape(_)), "{body}");
            let reason = fault.reason();
            assert!(reason.contains(name), "{body}: {reason}");
        }
        assert!(
            GraphqlRequest::from_query_string("")
                .unwrap_err()
                .reason()
                .contains("`query`")
        );
        assert!(
            GraphqlRequest::from_query_string("query=a&variables=%7B")
                .unwrap_err()
                .reason()
                .contains("`variables`")
        );
        assert!(
            GraphqlRequest::from_query_string("query=a&query=b")
                .unwrap_err()
                .reason()
                .contains("twice")
        );
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        let expected = GraphqlRequest::from_body(b"{\"query\":\"{ a }\"}").unwrap();
        let body = "\u{feff}{\"query\":\"{ a }\"}";
        assert_eq!(
            GraphqlRequest::from_body(body.as_bytes()).unwrap(),
            expected
        );
        let text = "query=%7B+a+%7D&variables=%EF%BB%BF%7B%7D";
        assert_eq!(GraphqlRequest::from_query_string(text).unwrap(), expected);
        let twice = format!("\u{feff}{body}");
        assert!(GraphqlRequest::from_body(twice.as_bytes()).is_err());
    }

    #[test]
    fn values_that_cannot_be_represented_are_not_invalid_json() {
        for (value, is_json) in [
            (r#""cut \ud83e""#, true),
            (r#""\udde6 cut""#, true),
            (r#""\ud83e\ud83e""#, true),
            (r#"{"\ud83e": 1}"#, true),
            ("1e999", true),
            (&format!("{}{}", "[".repeat(200), "]".repeat(200)), true),
            (r#""\ud8""#, false),
            ("[", false),
            ("\"\u{1}\"", false),
        ] {
            for field in ["variables", "operationName", "extensions", "query"] {
                let body = format!("{{\"query\":\"{{ a }}\",\"{field}\":{value}}}");
                let fault = GraphqlRequest::from_body(body.as_bytes()).unwrap_err();
                assert_eq!(matches!(fault, RequestFault::Value(_)), is_json, "{body}");
            }
        }
    }

    #[test]
    fn a_stored_document_is_not_supported() {
        for query in ["", "\"query\":null,", "\"query\":\"\","] {
            let body = format!(
                "{{{query}\"extensions\":{{\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"aa\"}}}}}}"
            );
            let fault = GraphqlRequest::from_body(body.as_bytes()).unwrap_err();
            assert_eq!(fault, RequestFault::PersistedQuery);
        }
        let fault = GraphqlRequest::from_query_string(
            "operationName=A&extensions=%7B%22persistedQuery%22%3A%7B%7D%7D",
        );
        assert_eq!(fault.unwrap_err(), RequestFault::PersistedQuery);
        let with_text = br#"{"query":"{ a }","extensions":{"persistedQuery":{"version":1}}}"#;
        assert_eq!(GraphqlRequest::from_body(with_text).unwrap().query, "{ a }");
    }

    #[test]
    fn deeply_nested_json_is_rejected() {
        let body = format!("{{\"query\":\"\",\"variables\":{}", "[".repeat(100_000));
        assert!(
            GraphqlRequest::from_body(body.as_bytes())
                .unwrap_err()
                .reason()
                .contains("JSON")
        );
    }
}
