//! Encodes the messages of the `graphql-transport-ws` protocol that the server sends.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::{graphql::events::shared_payload::SharedPayload, http::response::GraphqlResponse};

/// A response of an operation, from its JSON.
#[must_use]
pub(super) fn next(id: &str, payload: &str) -> String {
    let id = Json::from(id);
    format!(r#"{{"id":{id},"type":"next","payload":{payload}}}"#)
}

/// A response of a subscription, from a payload that several subscribers share.
#[must_use]
pub(super) fn shared(id: &str, shared: &SharedPayload) -> String {
    let mut text = String::with_capacity(shared.size() + 2 * id.len() + 40);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        r#"{{"id":{},"type":"next","payload":"#,
        Json::from(id)
    );
    shared.write_to(&mut text);
    text.push('}');
    text
}

/// The errors of an operation that did not run. The message ends the operation.
#[must_use]
pub(super) fn error(id: &str, response: &GraphqlResponse) -> String {
    json!({"id": id, "type": "error", "payload": response.errors}).to_string()
}

/// The end of an operation.
#[must_use]
pub(super) fn complete(id: &str) -> String {
    json!({"id": id, "type": "complete"}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_valid_json_for_any_id() {
        let id = "\"\\\u{7}ü";
        for frame in [
            next(id, "{\"data\":1}"),
            error(id, &GraphqlResponse::internal()),
            complete(id),
        ] {
            let frame: Json = serde_json::from_str(&frame).unwrap();
            assert_eq!(frame["id"], id);
        }
    }
}
