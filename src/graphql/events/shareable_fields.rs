//! Which events of a subscription can be shared: those of which everybody who may see them would be told the same. Reads
//! the document, and nothing else.

use std::collections::BTreeSet;

use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::Value;
use aws_lc_rs::digest::{SHA256, digest};

use crate::live::payload_cache::ShareKey;

/// What a field has inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// A scalar or an enum.
    Value,
    /// An object of this type.
    Object(&'static str),
}

/// Fields by name.
pub type Fields = &'static [(&'static str, Inside)];

/// The fields that are the same for everybody who may see the object, with the type of those that are objects. What
/// is not named here is taken to depend on the viewer.
pub const VIEWER_INDEPENDENT_FIELDS: [(&str, Fields); 7] = [
    ("MessageSentEvent", EVENT),
    ("MessageEditedEvent", EVENT),
    (
        "ReadPositionChangedEvent",
        &[
            ("cursor", Inside::Value),
            ("occurredAt", Inside::Value),
            ("conversation", Inside::Object("Conversation")),
            ("thread", Inside::Object("Thread")),
            ("user", Inside::Object("User")),
            ("readUpTo", Inside::Object("Message")),
        ],
    ),
    (
        "Message",
        &[
            ("id", Inside::Value),
            ("conversation", Inside::Object("Conversation")),
            ("sender", Inside::Object("User")),
            ("kind", Inside::Value),
            ("priority", Inside::Value),
            ("body", Inside::Value),
            ("bodyHtml", Inside::Value),
            ("sequence", Inside::Value),
            ("createdAt", Inside::Value),
            ("editedAt", Inside::Value),
            ("deletedAt", Inside::Value),
            ("depth", Inside::Value),
            ("replyCount", Inside::Value),
            ("descendantCount", Inside::Value),
        ],
    ),
    ("Thread", &[("id", Inside::Value)]),
    (
        "User",
        &[
            ("id", Inside::Value),
            ("username", Inside::Value),
            ("displayName", Inside::Value),
            ("isVerified", Inside::Value),
            ("createdAt", Inside::Value),
        ],
    ),
    (
        "Conversation",
        &[
            ("id", Inside::Value),
            ("kind", Inside::Value),
            ("title", Inside::Value),
            ("topic", Inside::Value),
            ("createdAt", Inside::Value),
        ],
    ),
];

const EVENT: Fields = &[
    ("cursor", Inside::Value),
    ("occurredAt", Inside::Value),
    ("message", Inside::Object("Message")),
];

/// Which events of a subscription can be shared, and with whom.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) sent: bool,
    pub(super) edited: bool,
    pub(super) read: bool,
    /// The variables on which the answer depends.
    variables: BTreeSet<String>,
}

impl Plan {
    /// What can be shared of this subscription; none when nothing can.
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
        let mut reader = Reader {
            document,
            variables: BTreeSet::new(),
        };
        let inside = &root.node.selection_set.node;
        let (sent, edited, read) = match root.node.name.node.as_str() {
            "messageSent" => (reader.is_alike(inside, "Message"), false, false),
            "events" => (
                reader.is_alike(inside, "MessageSentEvent"),
                reader.is_alike(inside, "MessageEditedEvent"),
                reader.is_alike(inside, "ReadPositionChangedEvent"),
            ),
            _ => return None,
        };
        let variables = reader.variables;
        (sent || edited || read).then_some(Self {
            sent,
            edited,
            read,
            variables,
        })
    }

    /// Those who send this text and these variables are a group.
    #[must_use]
    pub fn group(
        &self,
        text: &str,
        operation: Option<&str>,
        variables: &serde_json::Map<String, serde_json::Value>,
    ) -> ShareKey {
        let values: Vec<_> = self
            .variables
            .iter()
            .map(|name| variables.get(name))
            .collect();
        let asked = serde_json::json!([text, operation, values]).to_string();
        let digest = digest(&SHA256, asked.as_bytes());
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

struct Reader<'a> {
    document: &'a ExecutableDocument,
    variables: BTreeSet<String>,
}

impl Reader<'_> {
    /// Whether all of this is the same for everybody who may see an object of this type.
    fn is_alike(&mut self, set: &SelectionSet, kind: &str) -> bool {
        set.items.iter().all(|item| match &item.node {
            Selection::Field(field) => {
                let field = &field.node;
                self.read(field.directives.iter().map(|directive| &directive.node));
                let name = field.name.node.as_str();
                let has_arguments = !field.arguments.is_empty();
                match alike(kind, name) {
                    _ if name == "__typename" => true,
                    Some(Inside::Value) => !has_arguments,
                    Some(Inside::Object(inside)) if !has_arguments => {
                        self.is_alike(&field.selection_set.node, inside)
                    }
                    _ => false,
                }
            }
            Selection::InlineFragment(inline) => {
                let inline = &inline.node;
                self.read(inline.directives.iter().map(|directive| &directive.node));
                let condition = inline.type_condition.as_ref();
                let condition = condition.map(|condition| condition.node.on.node.as_str());
                self.applies(condition.unwrap_or(kind), kind, &inline.selection_set.node)
            }
            Selection::FragmentSpread(spread) => {
                let spread = &spread.node;
                self.read(spread.directives.iter().map(|directive| &directive.node));
                let found = self.document.fragments.get(&spread.fragment_name.node);
                found.is_some_and(|fragment| {
                    let fragment = &fragment.node;
                    let condition = fragment.type_condition.node.on.node.as_str();
                    self.applies(condition, kind, &fragment.selection_set.node)
                })
            }
        })
    }

    fn applies(&mut self, condition: &str, kind: &str, set: &SelectionSet) -> bool {
        if condition == kind || (condition == "Event" && kind.ends_with("Event")) {
            return self.is_alike(set, kind);
        }
        // Another kind of event says nothing about this one. Any other interface might.
        condition != "Event" && condition.ends_with("Event")
    }

    fn read<'d>(&mut self, directives: impl Iterator<Item = &'d Directive>) {
        for (_, value) in directives.flat_map(|directive| &directive.arguments) {
            if let Value::Variable(name) = &value.node {
                self.variables.insert(name.to_string());
            }
        }
    }
}

/// The type inside a field that is the same for everybody; none for a field that is not.
fn alike(kind: &str, field: &str) -> Option<Inside> {
    let (_, fields) = VIEWER_INDEPENDENT_FIELDS
        .iter()
        .find(|(name, _)| *name == kind)?;
    let (_, inside) = fields.iter().find(|(name, _)| *name == field)?;
    Some(*inside)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn plan(inside: &str) -> Option<Plan> {
        let text =
            format!("subscription($a: String, $x: Boolean) {{ events(after: $a) {{ {inside} }} }}");
        Plan::of(&parse_query(text).unwrap())
    }

    #[test]
    fn a_subscription_is_shared_as_far_as_it_is_the_same_for_everybody() {
        let cases = [
            ("__typename cursor occurredAt", (true, true, true)),
            (
                "... on MessageSentEvent { m: message { id body @skip(if: $x) sender { username } } }",
                (true, true, true),
            ),
            (
                "... on MessageSentEvent { message { viewerHasRead } }",
                (false, true, true),
            ),
            (
                "... on MessageEditedEvent { message { sender { bio } } }",
                (true, false, true),
            ),
            (
                "... on Event { ... on MessageEditedEvent { message { parent { id } } } }",
                (true, false, true),
            ),
            (
                "... on ConversationChangedEvent { conversation { displayTitle } }",
                (true, true, true),
            ),
            (
                "... on ReadPositionChangedEvent { user { id } thread { viewerUnreadCount } }",
                (true, true, false),
            ),
        ];
        for (inside, shared) in cases {
            let plan = plan(inside).unwrap();
            assert_eq!((plan.sent, plan.edited, plan.read), shared, "{inside}");
        }
        for inside in [
            "... on Node { id }",
            "... on MessageSentEvent { message { clientMessageId } }
             ... on MessageEditedEvent { message { replies(first: 1) { nodes { id } } } }
             ... on ReadPositionChangedEvent { user { presence } }",
        ] {
            assert_eq!(plan(inside), None, "{inside}");
        }
        for text in [
            "subscription { events @include(if: true) { cursor } }",
            "subscription { ... { events { cursor } } }",
            "{ viewer { id } }",
        ] {
            assert_eq!(Plan::of(&parse_query(text).unwrap()), None, "{text}");
        }
    }

    #[test]
    fn only_variables_that_change_the_answer_divide_a_group() {
        let plan = plan("cursor @skip(if: $x)").unwrap();
        let group =
            |variables: serde_json::Value| plan.group("text", None, variables.as_object().unwrap());
        let first = group(serde_json::json!({ "a": "one" }));
        assert_eq!(first, group(serde_json::json!({ "a": "another" })));
        assert_ne!(first, group(serde_json::json!({ "x": true })));
        let variables = serde_json::Map::new();
        assert_ne!(first, plan.group("other text", None, &variables));
        assert_ne!(first, plan.group("text", Some("Name"), &variables));
    }

    #[test]
    fn what_is_listed_exists() {
        let sdl = crate::graphql::sdl();
        for (kind, fields) in VIEWER_INDEPENDENT_FIELDS {
            let start = sdl.find(&format!("\ntype {kind} ")).unwrap();
            let text = sdl.get(start..).unwrap().split("\n}").next().unwrap();
            for (field, _) in fields {
                let found = text.contains(&format!("\t{field}: "));
                assert!(found, "{kind}.{field}");
            }
        }
    }
}
