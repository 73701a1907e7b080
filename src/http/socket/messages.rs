//! What a socket says in the `graphql-transport-ws` protocol.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::graphql::events::shared_payload::Shared;

/// An answer of an operation.
#[must_use]
pub(super) fn next(id: &str, payload: &str) -> String {
    let id = Json::from(id);
    format!(r#"{{"id":{id},"type":"next","payload":{payload}}}"#)
}

/// The same of an answer that many are given.
#[must_use]
pub(super) fn shared(id: &str, shared: &Shared) -> String {
    let mut text = String::with_capacity(shared.size() + 2 * id.len() + 40);
    // Writing to a text does not fail.
    let _ = write!(
        text,
        r#"{{"id":{},"type":"next","payload":"#,
        Json::from(id)
    );
    shared.write_to(&mut text);
    text.push('}');
    text
}

/// Why an operation did not run, as a JSON array of errors. It ends the operation.
#[must_use]
pub(super) fn error(id: &str, errors: &Json) -> String {
    json!({"id": id, "type": "error", "payload": errors}).to_string()
}

/// An operation ended.
#[must_use]
pub(super) fn complete(id: &str) -> String {
    json!({"id": id, "type": "complete"}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_json_whatever_the_id_is() {
        let id = "\"\\\u{7}ü";
        for frame in [
            next(id, "{\"data\":1}"),
            error(id, &json!([])),
            complete(id),
        ] {
            let frame: Json = serde_json::from_str(&frame).unwrap();
            assert_eq!(frame["id"], id);
        }
    }
}
