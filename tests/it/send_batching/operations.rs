//! Users in a few conversations with some history, and the messages that they send concurrently.

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::json;

use super::SEND;
use crate::support::{app::TestApp, groups::Groups, messaging::Messaging, person::Person};

/// The users. The last is in no conversation, and the one before is an observer.
const PEOPLE: [&str; 6] = ["Ann", "Bob", "Cem", "Dora", "Eva", "Zoe"];
const TALKS: usize = 3;
/// The number of possible parents in each conversation: roots, replies at every depth, and deleted messages.
const KNOWN: usize = 7;

/// A server with the users and conversations of the test, which are equal on every server.
pub(super) struct Stage<'a> {
    pub(super) app: &'a TestApp,
    pub(super) people: Vec<Person>,
    conversations: Vec<String>,
    known: Vec<Vec<String>>,
}

/// A message to send.
#[derive(Clone, Debug)]
pub(super) struct Act {
    who: usize,
    conversation: usize,
    /// The parent: the conversation and the index of its message.
    parent: Option<(usize, usize)>,
    body: String,
    priority: &'static str,
    key: Option<String>,
}

/// The result of a send.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The conversation, the sequence number, the text, and whether it was a duplicate.
    Sent(usize, i64, String, bool),
    /// The code of the error.
    Refused(String),
}

impl Answer {
    /// When to do the same one by one: in the order of each conversation, repetitions and what conflicts after what
    /// they repeat, and what may not be done at all before another user has its key.
    pub(super) fn place(&self) -> (bool, usize, i64) {
        match self {
            Self::Sent(conversation, sequence, _, was_duplicate) => {
                (*was_duplicate, *conversation, *sequence)
            }
            Self::Refused(code) if code == "CONFLICT" => (true, usize::MAX, 0),
            Self::Refused(_) => (false, 0, i64::MIN),
        }
    }
}

impl Act {
    pub(super) fn random(random: &mut SmallRng, name: &str) -> Self {
        let names = ["", "", "", "@bob", "@cem and @ann", "@zoe", "@eva @dora"];
        let conversation = random.random_range(0..TALKS);
        // Most reply to the same few messages.
        let parent = random.random_bool(0.6).then(|| {
            let elsewhere = random.random_bool(0.05);
            let conversation = (conversation + usize::from(elsewhere)) % TALKS;
            let most = if random.random_bool(0.5) {
                3
            } else {
                KNOWN + 1
            };
            (conversation, random.random_range(0..most))
        });
        let is_regular = random.random_bool(0.9);
        Self {
            who: random.random_range(0..if is_regular { 4 } else { 6 }),
            conversation,
            parent,
            body: format!("{name} {}", names.choose(random).unwrap())
                .trim()
                .to_owned(),
            priority: if random.random_bool(0.1) {
                "URGENT"
            } else {
                "NORMAL"
            },
            key: match random.random_range(0..10) {
                0 => Some("first".to_owned()),
                1..6 => Some(name.to_owned()),
                _ => None,
            },
        }
    }
}

/// Some messages repeat others of these, before or after them.
pub(super) fn with_repetitions(random: &mut SmallRng, acts: &[Act]) -> Vec<Act> {
    let has_own_key = |act: &&Act| act.key.as_ref().is_some_and(|key| key != "first");
    let mut all = acts.to_owned();
    for act in acts.iter().filter(has_own_key) {
        if random.random_bool(0.2) {
            all.insert(random.random_range(0..=all.len()), act.clone());
        }
    }
    all
}

impl<'a> Stage<'a> {
    /// A group of all but the stranger, another in which some are notified only of mentions, and a direct conversation.
    pub(super) async fn set(app: &'a TestApp) -> Self {
        let mut people = vec![];
        for name in PEOPLE {
            people.push(app.person(name).await);
        }
        let [ann, bob, cem, dora, eva, _] = people.as_slice() else {
            unreachable!()
        };
        let loom = ann.creates_group(Some("Loom"), &[bob, cem, dora]).await;
        ann.adds(&loom, eva, "OBSERVER").await;
        let wool = bob
            .creates_group(Some("Wool"), &[ann, cem, dora, eva])
            .await;
        let settings = "mutation($input: UpdateConversationSettingsInput!) {
            updateConversationSettings(input: $input) { conversation { id } } }";
        for (person, level) in [(ann, "MENTIONS"), (cem, "MENTIONS"), (dora, "NONE")] {
            let input = json!({ "conversationId": wool, "notificationLevel": level });
            person.execute(settings, json!({ "input": input })).await;
        }
        let conversations = vec![loom, wool, ann.direct(bob).await];
        let mut known = vec![];
        for conversation in &conversations {
            let root = ann.says(conversation, "root").await;
            let other = bob.says(conversation, "other root").await;
            let gone = ann.says(conversation, "gone").await;
            let reply = bob.replies(conversation, &root, "reply").await;
            let below = ann.replies(conversation, &reply, "below").await;
            let deepest = bob.replies(conversation, &below, "deepest").await;
            ann.replies(conversation, &gone, "left").await;
            ann.deletes(&gone).await;
            let first = json!({ "conversationId": conversation, "body": "first", "clientMessageId": "first" });
            ann.execute(SEND, json!({ "input": first })).await;
            known.push(vec![
                root,
                other,
                reply,
                below,
                deepest,
                gone,
                conversation.replace("cnv_", "msg_"),
            ]);
        }
        Self {
            app,
            people,
            conversations,
            known,
        }
    }

    /// Sends it and returns the result.
    pub(super) async fn plays(&self, act: &Act) -> Answer {
        let parent = act.parent.map(|(conversation, known)| {
            let known = self.known[conversation].get(known);
            known.map_or("msg_nonsense", String::as_str)
        });
        let input = json!({
            "conversationId": self.conversations[act.conversation],
            "parentId": parent,
            "body": act.body,
            "priority": act.priority,
            "clientMessageId": act.key,
        });
        let sending = self.people[act.who].request(SEND, json!({ "input": input }));
        let response = sending.await;
        if let Some(code) = response["errors"][0]["extensions"]["code"].as_str() {
            return Answer::Refused(code.to_owned());
        }
        let sent = &response["data"]["sendMessage"];
        let body = sent["message"]["body"].as_str().unwrap().to_owned();
        assert_eq!(body, act.body);
        let sequence = sent["message"]["sequence"].as_i64().unwrap();
        let was_duplicate = sent["wasDuplicate"].as_bool().unwrap();
        Answer::Sent(act.conversation, sequence, body, was_duplicate)
    }
}
