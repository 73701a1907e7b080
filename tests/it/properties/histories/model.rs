//! The model of all acknowledged operations, which the tables and the stream are compared with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::person::Person;

/// Errors that concurrent operations may return. Any other error fails the test.
const REFUSALS: [&str; 3] = ["NOT_FOUND", "FORBIDDEN", "BAD_USER_INPUT"];

/// All acknowledged operations.
#[derive(Clone, Default)]
pub(super) struct Known {
    words: usize,
    /// Every conversation, also deleted ones.
    pub(super) places: Vec<Place>,
    /// Every acknowledged message.
    pub(super) messages: Vec<Message>,
    /// Canaries that were rejected, replaced or deleted.
    pub(super) never: Vec<String>,
    /// Users who deleted their account, and whether their messages in groups were deleted too.
    pub(super) departed: Vec<(String, bool)>,
    counts: BTreeMap<(&'static str, String), usize>,
    done: BTreeMap<String, usize>,
}

/// A conversation.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) is_group: bool,
    pub(super) from_joining: bool,
    /// Its present and earlier titles and topics.
    pub(super) words: Vec<String>,
}

/// An acknowledged message.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) place: String,
    pub(super) sender: String,
    pub(super) is_reply: bool,
    /// Its present and earlier texts and reasons.
    pub(super) words: Vec<String>,
    pub(super) is_deleted: bool,
}

impl Known {
    /// Returns a new canary, which is part of no other text.
    pub(super) fn word(&mut self) -> String {
        self.words += 1;
        format!("canary{}x", self.words)
    }

    /// Counts an operation on this object.
    pub(super) fn count(&mut self, what: &'static str, to: &str) {
        *self.counts.entry((what, to.to_owned())).or_default() += 1;
    }

    /// Returns the number of such operations.
    pub(super) fn counted(&self, what: &'static str, to: &str) -> usize {
        let key = (what, to.to_owned());
        self.counts.get(&key).copied().unwrap_or_default()
    }

    /// Returns the mutations that succeeded at least once.
    pub(super) fn done(&self) -> Vec<&str> {
        self.done.keys().map(String::as_str).collect()
    }

    /// Adds a conversation, unless the model contains it.
    pub(super) fn place(&mut self, place: Place) {
        if self.places.iter().all(|known| known.id != place.id) {
            self.places.push(place);
        }
    }

    /// Returns the payload of a mutation, or nothing if it was rejected.
    pub(super) fn outcome(&mut self, name: &str, mut response: Value) -> Option<Value> {
        for error in response["errors"].as_array().into_iter().flatten() {
            let code = error["extensions"]["code"].as_str().unwrap_or_default();
            assert!(REFUSALS.contains(&code), "{name}: {response:#}");
        }
        let payload = response["data"][name].take();
        if payload.is_null() {
            return None;
        }
        *self.done.entry(name.to_owned()).or_default() += 1;
        Some(payload)
    }
}

/// Sends a mutation; `input` is null for the few without one.
pub(super) async fn mutates(person: &Person, name: &str, input: &Value, selection: &str) -> Value {
    let query = if input.is_null() {
        format!("mutation {{ {name} {{ {selection} }} }}")
    } else {
        let (first, rest) = name.split_at(1);
        let kind = format!("{}{rest}Input", first.to_uppercase());
        format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {selection} }} }}")
    };
    person.request(&query, json!({ "input": input })).await
}
