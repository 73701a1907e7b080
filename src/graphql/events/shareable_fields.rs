//! Decides from the document alone which events of a subscription have a payload that is equal for every user who may
//! see the event.

use std::collections::BTreeMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value as Json};

use crate::{id::UserId, live::entry::ShareKey};

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldType {
    /// A scalar or an enum.
    Scalar,
    /// The object of this kind.
    Object(&'static str),
}

/// Fields by name.
type Fields = &'static [(&'static str, FieldType)];

/// The fields of each kind of object whose value is equal for every user who may see the object. All other fields are
/// assumed to depend on the viewer. A kind is the name of a type, which may be followed by whose view it is.
const VIEWER_INDEPENDENT_FIELDS: [(&str, Fields); 10] = [
    ("MessageSentEvent", EVENT),
    ("MessageEditedEvent", EVENT),
    (
        "ReadPositionChangedEvent",
        &[
            ("cursor", FieldType::Scalar),
            ("occurredAt", FieldType::Scalar),
            ("conversation", FieldType::Object("Conversation")),
            ("thread", FieldType::Object("Thread")),
            ("user", FieldType::Object("User")),
            ("readUpTo", FieldType::Object("Message")),
        ],
    ),
    (
        "PresenceChangedEvent",
        &[
            ("cursor", FieldType::Scalar),
            ("occurredAt", FieldType::Scalar),
            ("user", FieldType::Object("User seen by contacts")),
        ],
    ),
    (
        "TypingChangedEvent",
        &[
            ("cursor", FieldType::Scalar),
            ("occurredAt", FieldType::Scalar),
            ("conversation", FieldType::Object("Conversation")),
            ("thread", FieldType::Object("Thread")),
            ("user", FieldType::Object("User")),
            ("expiresAt", FieldType::Scalar),
        ],
    ),
    (
        "Message",
        &[
            ("id", FieldType::Scalar),
            ("conversation", FieldType::Object("Conversation")),
            ("sender", FieldType::Object("User")),
            ("kind", FieldType::Scalar),
            ("priority", FieldType::Scalar),
            ("body", FieldType::Scalar),
            ("bodyHtml", FieldType::Scalar),
            ("isImported", FieldType::Scalar),
            ("sequence", FieldType::Scalar),
            ("createdAt", FieldType::Scalar),
            ("editedAt", FieldType::Scalar),
            ("deletedAt", FieldType::Scalar),
            ("depth", FieldType::Scalar),
            ("replyCount", FieldType::Scalar),
            ("descendantCount", FieldType::Scalar),
        ],
    ),
    ("Thread", &[("id", FieldType::Scalar)]),
    (
        "User",
        &[
            ("id", FieldType::Scalar),
            ("username", FieldType::Scalar),
            ("displayName", FieldType::Scalar),
            ("isVerified", FieldType::Scalar),
            ("isImported", FieldType::Scalar),
            ("createdAt", FieldType::Scalar),
            ("updatedAt", FieldType::Scalar),
        ],
    ),
    (
        "User seen by contacts",
        &[
            ("id", FieldType::Scalar),
            ("username", FieldType::Scalar),
            ("displayName", FieldType::Scalar),
            ("isVerified", FieldType::Scalar),
            ("createdAt", FieldType::Scalar),
            ("updatedAt", FieldType::Scalar),
            ("presence", FieldType::Scalar),
            ("statusText", FieldType::Scalar),
            ("lastActiveAt", FieldType::Scalar),
        ],
    ),
    (
        "Conversation",
        &[
            ("id", FieldType::Scalar),
            ("kind", FieldType::Scalar),
            ("title", FieldType::Scalar),
            ("topic", FieldType::Scalar),
            ("createdAt", FieldType::Scalar),
        ],
    ),
];

const EVENT: Fields = &[
    ("cursor", FieldType::Scalar),
    ("occurredAt", FieldType::Scalar),
    ("message", FieldType::Object("Message")),
];

/// An event whose payload can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShareableEvent {
    MessageSent,
    MessageEdited,
    ReadPositionChanged,
    PresenceChanged,
    TypingChanged,
}

impl ShareableEvent {
    /// All of them, with their types.
    const ALL: [(Self, &str); 5] = [
        (Self::MessageSent, "MessageSentEvent"),
        (Self::MessageEdited, "MessageEditedEvent"),
        (Self::ReadPositionChanged, "ReadPositionChangedEvent"),
        (Self::PresenceChanged, "PresenceChangedEvent"),
        (Self::TypingChanged, "TypingChangedEvent"),
    ];
}

/// The events of a subscription whose payloads can be shared.
#[derive(Debug, PartialEq, Eq)]
pub struct ShareableEvents {
    events: Vec<ShareableEvent>,
}

impl ShareableEvents {
    /// The shareable events of this subscription, possibly no events; none unless it consists of one field whose
    /// deliveries the transport can write.
    #[must_use]
    pub fn of(document: &ExecutableDocument) -> Option<Self> {
        let (_, operation) = document.operations.iter().next()?;
        let [root] = operation.node.selection_set.node.items.as_slice() else {
            return None;
        };
        let Selection::Field(root) = &root.node else {
            return None;
        };
        if !root.node.directives.is_empty() {
            return None;
        }
        let selection = &root.node.selection_set.node;
        let candidates: &[_] = match root.node.name.node.as_str() {
            "messageSent" => &[(ShareableEvent::MessageSent, "Message")],
            "events" => &ShareableEvent::ALL,
            _ => return None,
        };
        let candidates = candidates.iter();
        let events = candidates.filter(|(_, kind)| is_shareable(selection, kind));
        let events: Vec<_> = events.map(|(event, _)| *event).collect();
        Some(Self { events })
    }

    /// Whether no payload can be shared with other users.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn contain(&self, event: ShareableEvent) -> bool {
        self.events.contains(&event)
    }

    /// The key of all subscriptions that send this text with the same values of the variables in its `@skip` and
    /// `@include`. No other variable changes a payload that can be shared.
    #[must_use]
    pub fn key(text: &str, operation: Option<&str>, conditions: &[bool]) -> ShareKey {
        digest_of(&serde_json::json!([text, operation, conditions]))
    }

    /// The key of all subscriptions of one user that send this text with the same variables. The variable with the cursor
    /// does not count: it decides where the stream begins.
    #[must_use]
    pub fn own_key(
        user: UserId,
        text: &str,
        operation: Option<&str>,
        variables: &Map<String, Json>,
        document: &ExecutableDocument,
    ) -> ShareKey {
        let cursor = cursor_variable(document, text);
        let counted = variables.iter();
        let counted = counted.filter(|(name, _)| Some(name.as_str()) != cursor);
        let counted: BTreeMap<_, _> = counted.collect();
        digest_of(&serde_json::json!([user.0, text, operation, counted]))
    }
}

fn digest_of(request: &Json) -> ShareKey {
    let digest = digest(&SHA256, request.to_string().as_bytes());
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The variable in `after` of the only field, if the text contains it only there and where it is defined.
fn cursor_variable<'a>(document: &'a ExecutableDocument, text: &str) -> Option<&'a str> {
    let (_, operation) = document.operations.iter().next()?;
    let root = operation.node.selection_set.node.items.first()?;
    let Selection::Field(root) = &root.node else {
        return None;
    };
    let async_graphql_value::Value::Variable(name) = &root.node.get_argument("after")?.node else {
        return None;
    };
    let uses = text.matches(&format!("${name}")).count();
    (uses <= 2).then_some(name.as_str())
}

/// Whether the selection is viewer-independent on an object of this type.
fn is_shareable(set: &SelectionSet, kind: &str) -> bool {
    set.items.iter().all(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            let name = field.name.node.as_str();
            let has_arguments = !field.arguments.is_empty();
            match viewer_independent(kind, name) {
                _ if name == "__typename" => true,
                Some(FieldType::Scalar) => !has_arguments,
                Some(FieldType::Object(object)) if !has_arguments => {
                    is_shareable(&field.selection_set.node, object)
                }
                _ => false,
            }
        }
        Selection::InlineFragment(inline) => {
            let inline = &inline.node;
            let condition = inline.type_condition.as_ref();
            let type_name = kind.split(' ').next().unwrap_or(kind);
            let condition = condition.map_or(type_name, |one| one.node.on.node.as_str());
            if condition == type_name || (condition == "Event" && kind.ends_with("Event")) {
                return is_shareable(&inline.selection_set.node, kind);
            }
            // A fragment on another event type does not apply. One on any other interface might.
            condition != "Event" && condition.ends_with("Event")
        }
        // The guard has replaced them by their fields.
        Selection::FragmentSpread(_) => false,
    })
}

/// The type of a viewer-independent field; none for any other field.
fn viewer_independent(kind: &str, field: &str) -> Option<FieldType> {
    let (_, fields) = VIEWER_INDEPENDENT_FIELDS
        .iter()
        .find(|(name, _)| *name == kind)?;
    let (_, field_type) = fields.iter().find(|(name, _)| *name == field)?;
    Some(*field_type)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn shareable(selection: &str) -> Option<ShareableEvents> {
        let text = format!(
            "subscription($a: String, $x: Boolean) {{ events(after: $a) {{ {selection} }} }}"
        );
        ShareableEvents::of(&parse_query(text).unwrap())
    }

    #[test]
    fn events_with_viewer_independent_selections_are_shareable() {
        let cases = [
            ("__typename cursor occurredAt", vec![]),
            (
                "... on MessageSentEvent { m: message { id body @skip(if: $x) sender { username } } }",
                vec![],
            ),
            (
                "... on MessageSentEvent { message { viewerHasRead } }",
                vec![ShareableEvent::MessageSent],
            ),
            (
                "... on MessageEditedEvent { message { sender { bio } } }",
                vec![ShareableEvent::MessageEdited],
            ),
            (
                "... on Event { ... on MessageEditedEvent { message { parent { id } } } }",
                vec![ShareableEvent::MessageEdited],
            ),
            (
                "... on ConversationChangedEvent { conversation { displayTitle } }",
                vec![],
            ),
            (
                "... on ReadPositionChangedEvent { user { id } thread { viewerUnreadCount } }",
                vec![ShareableEvent::ReadPositionChanged],
            ),
            (
                "... on PresenceChangedEvent { user { presence ... on User { statusText } } }
                 ... on TypingChangedEvent { user { presence } }",
                vec![ShareableEvent::TypingChanged],
            ),
            (
                "... on PresenceChangedEvent { user { bio } }",
                vec![ShareableEvent::PresenceChanged],
            ),
        ];
        for (selection, personal) in cases {
            let events = shareable(selection).unwrap();
            for (event, _) in ShareableEvent::ALL {
                let expected = !personal.contains(&event);
                assert_eq!(events.contain(event), expected, "{event:?} {selection}");
            }
        }
        for selection in [
            "... on Node { id }",
            "... on MessageSentEvent { message { clientMessageId } }
             ... on MessageEditedEvent { message { replies(first: 1) { nodes { id } } } }
             ... on ReadPositionChangedEvent { user { presence } }
             ... on PresenceChangedEvent { user { isViewer } }
             ... on TypingChangedEvent { conversation { displayTitle } }",
        ] {
            assert!(shareable(selection).unwrap().is_empty(), "{selection}");
        }
        for text in [
            "subscription { events @include(if: true) { cursor } }",
            "subscription { ... { events { cursor } } }",
            "{ viewer { id } }",
        ] {
            assert_eq!(
                ShareableEvents::of(&parse_query(text).unwrap()),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn only_conditions_change_the_key() {
        let key = ShareableEvents::key;
        let first = key("text", None, &[false]);
        assert_eq!(first, key("text", None, &[false]));
        assert_ne!(first, key("text", None, &[true]));
        assert_ne!(first, key("other text", None, &[false]));
        assert_ne!(first, key("text", Some("Name"), &[false]));
    }

    #[test]
    fn every_listed_field_exists_in_the_schema() {
        let sdl = crate::graphql::sdl();
        for (kind, fields) in VIEWER_INDEPENDENT_FIELDS {
            let type_name = kind.split(' ').next().unwrap();
            let start = sdl.find(&format!("\ntype {type_name} ")).unwrap();
            let text = sdl.get(start..).unwrap().split("\n}").next().unwrap();
            for (field, _) in fields {
                let found = text.contains(&format!("\t{field}: "));
                assert!(found, "{kind}.{field}");
            }
        }
    }
}
