//! The parameters of a GraphQL request, parsed from a body, a query string or a WebSocket message. Pure.

use serde_json::{Map, Value as Json};

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

/// The reason why parameters are invalid: one sentence that does not quote them.
pub(super) type Reason = &'static str;

impl GraphqlRequest {
    /// Parses the body of a POST.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, Reason> {
        let json = serde_json::from_slice(body).map_err(|_error| "The body must be valid JSON.")?;
        Self::from_json(json)
    }

    /// Converts the JSON of a body, or of the payload of `subscribe`.
    pub(super) fn from_json(json: Json) -> Result<Self, Reason> {
        let mut map = match json {
            Json::Object(map) => map,
            Json::Array(_) => {
                return Err("Batches are not supported: send one operation per request.");
            }
            _ => return Err("A request must be a JSON object with the field `query`."),
        };
        let query = match map.remove("query") {
            Some(Json::String(query)) => query,
            Some(_) => return Err("`query` must be a string."),
            None => return Err("`query` is missing: send the document in it."),
        };
        let operation_name = match map.remove("operationName") {
            None | Some(Json::Null) => None,
            Some(Json::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return Err("`operationName` must be a string."),
        };
        let variables = object(map.remove("variables"), "`variables` must be an object.")?;
        object(map.remove("extensions"), "`extensions` must be an object.")?;
        Ok(Self {
            query,
            operation_name,
            variables,
        })
    }

    /// Parses the query string of a GET.
    pub(super) fn from_query_string(text: &str) -> Result<Self, Reason> {
        let mut map = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = match name.as_ref() {
                "query" | "operationName" => Json::String(value.into_owned()),
                "variables" | "extensions" if value.is_empty() => continue,
                "variables" => serde_json::from_str(&value)
                    .map_err(|_error| "`variables` must be valid JSON.")?,
                "extensions" => serde_json::from_str(&value)
                    .map_err(|_error| "`extensions` must be valid JSON.")?,
                _ => continue,
            };
            if map.insert(name.into_owned(), value).is_some() {
                return Err("A parameter is given twice: send it once.");
            }
        }
        Self::from_json(Json::Object(map))
    }
}

fn object(value: Option<Json>, reason: Reason) -> Result<Map<String, Json>, Reason> {
    match value {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(map)) => Ok(map),
        Some(_) => Err(reason),
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
            let reason = GraphqlRequest::from_body(body.as_bytes()).unwrap_err();
            assert!(reason.contains(name), "{body}: {reason}");
        }
        assert!(
            GraphqlRequest::from_query_string("")
                .unwrap_err()
                .contains("`query`")
        );
        assert!(
            GraphqlRequest::from_query_string("query=a&variables=%7B")
                .unwrap_err()
                .contains("`variables`")
        );
        assert!(
            GraphqlRequest::from_query_string("query=a&query=b")
                .unwrap_err()
                .contains("twice")
        );
    }

    #[test]
    fn deeply_nested_json_is_rejected() {
        let body = format!("{{\"query\":\"\",\"variables\":{}", "[".repeat(100_000));
        assert!(
            GraphqlRequest::from_body(body.as_bytes())
                .unwrap_err()
                .contains("JSON")
        );
    }
}
