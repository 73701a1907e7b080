//! Subscribers who ask alike share an answer when nothing in it depends on who they are: it is executed once, and each
//! gets it with their own cursor.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::Value;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    domain::{messages, reads::receipts},
    graphql::{
        errors::Result,
        events::{feed::Handed, interface::Event, telling::Telling},
        messages::types::Message,
    },
    id::{MessageId, UserId},
    live::{
        log::Change,
        read::Entry,
        share::{Form, Group},
    },
};

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
pub const ALIKE: [(&str, Fields); 7] = [
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

/// Stands where each subscriber's cursor belongs. Nobody outside knows it, so nobody can write it into a message.
static PLACEHOLDER: LazyLock<String> = LazyLock::new(|| format!("{:032x}", rand::random::<u128>()));

/// Which events of a subscription can be shared, and with whom.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    sent: bool,
    edited: bool,
    read: bool,
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
    ) -> Group {
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
    let (_, fields) = ALIKE.iter().find(|(name, _)| *name == kind)?;
    let (_, inside) = fields.iter().find(|(name, _)| *name == field)?;
    Some(*inside)
}

/// One event to execute, in place of a stream.
#[derive(Debug)]
pub struct Given(Mutex<Option<Item>>);

#[derive(Debug)]
pub(super) enum Item {
    Event(Result<Box<Event>>),
    Message(Result<Box<Message>>),
}

impl Given {
    pub(super) fn new(item: Item) -> Self {
        Self(Mutex::new(Some(item)))
    }

    pub(super) fn take(&self) -> Option<Item> {
        let mut item = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        item.take()
    }
}

/// An answer that was executed once for many, on its way to one subscriber.
#[derive(Debug)]
pub struct Shared {
    pub(super) form: Form,
    /// Where the subscriber goes on from.
    pub cursor: Option<String>,
}

impl Shared {
    /// Adds the encoded answer to a text.
    pub fn write_to(&self, text: &mut String) {
        let cursor = self.cursor.as_deref().unwrap_or_default();
        for (number, piece) in self.form.iter().enumerate() {
            if number > 0 {
                text.push_str(cursor);
            }
            text.push_str(piece);
        }
    }

    /// How long the encoded answer is, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let pieces: usize = self.form.iter().map(|piece| piece.len()).sum();
        let cursor = self.cursor.as_ref().map_or(0, String::len);
        pieces + cursor * self.form.len().saturating_sub(1)
    }
}

/// What can be told to many at once.
#[derive(Clone, Copy, Debug)]
enum News {
    /// Of this message.
    Message(MessageId),
    /// That somebody has read up to this message.
    Read(UserId, MessageId),
}

/// Executes the subscription's document for one event and encodes the answer; none when something in it failed.
pub type Render = Arc<dyn Fn(Given) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// What a subscription needs to share its answers.
#[derive(Clone)]
pub struct Share {
    /// Which events.
    pub plan: Arc<Plan>,
    /// With whom.
    pub group: Group,
    /// How an answer is made.
    pub render: Render,
    /// Where the stream that was opened is left for the transport.
    pub handed: Handed,
}

impl Share {
    /// This event in the form that was made for the group, if that is at hand and the subscriber may see it.
    pub(super) fn at_hand(&self, telling: &Telling, entry: &Entry) -> Option<Form> {
        self.news(entry)?;
        let shares = telling.app.hub.shares();
        let form = shares.at_hand(entry, self.group, telling.viewer.user)?;
        telling.is_over().is_none().then_some(form)
    }

    /// This event in the form that is made once for the group. None when there is none: then the subscriber is to be
    /// told in the ordinary way, which also asks whether they may see it.
    pub(super) async fn form<F>(
        &self,
        telling: &Telling,
        entry: &Entry,
        load: impl FnOnce(String) -> F,
    ) -> Option<Form>
    where
        F: Future<Output = Option<Item>>,
    {
        let news = self.news(entry)?;
        let (db, shares) = (telling.app.db.read(), telling.app.hub.shares());
        let look_up = || async {
            match news {
                News::Message(id) => messages::audience(db, id).await,
                News::Read(user, up_to) => receipts::audience(db, user, up_to).await,
            }
        };
        let make = || async {
            let item = load(PLACEHOLDER.clone()).await?;
            let body = (self.render)(Given::new(item)).await?;
            Some(pieces(&body))
        };
        let making = async {
            let audience = shares.audience(entry, look_up).await?;
            if !audience.contains(&telling.viewer.user) {
                return Ok(None);
            }
            Ok(shares.form(entry, self.group, make).await)
        };
        // Whoever's session ends meanwhile makes nothing, and the next of the group goes on with it.
        telling.unless_over(making).await.ok()?.ok()?
    }

    fn news(&self, entry: &Entry) -> Option<News> {
        match entry.change {
            Some(Change::MessageSent { message }) if self.plan.sent => Some(News::Message(message)),
            Some(Change::MessageEdited { message }) if self.plan.edited => {
                Some(News::Message(message))
            }
            Some(Change::ReadPositionChanged {
                user,
                up_to: Some(up_to),
                is_shared: true,
                ..
            }) if self.plan.read => Some(News::Read(user, up_to)),
            _ => None,
        }
    }
}

fn pieces(body: &[u8]) -> Form {
    let text = String::from_utf8_lossy(body);
    text.split(PLACEHOLDER.as_str()).map(Box::from).collect()
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
    fn every_cursor_goes_where_it_belongs() {
        let body = format!("{{\"a\":\"{0}\",\"ü\":1,\"b\":\"{0}\"}}", *PLACEHOLDER);
        for (body, written) in [
            (body.as_str(), "{\"a\":\"C\",\"ü\":1,\"b\":\"C\"}"),
            ("{}", "{}"),
        ] {
            let shared = Shared {
                form: pieces(body.as_bytes()),
                cursor: Some("C".to_owned()),
            };
            let mut text = String::new();
            shared.write_to(&mut text);
            assert_eq!(text, written);
            assert_eq!(shared.size(), written.len());
        }
    }

    #[test]
    fn what_is_listed_exists() {
        let sdl = crate::graphql::sdl();
        for (kind, fields) in ALIKE {
            let start = sdl.find(&format!("\ntype {kind} ")).unwrap();
            let text = sdl.get(start..).unwrap().split("\n}").next().unwrap();
            for (field, _) in fields {
                let found = text.contains(&format!("\t{field}: "));
                assert!(found, "{kind}.{field}");
            }
        }
    }
}
