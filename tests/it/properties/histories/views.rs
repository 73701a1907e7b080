//! No user sees, counts or receives hidden content, and deleted content is stored nowhere.

use std::collections::BTreeSet;

use heddle::id::{ConversationId, UserId};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::{model::Known, state::State, tables::Tables};
use crate::support::{app::TestApp, captured_logs, dump::dump, person::Person};

/// Returns the canaries in a text.
fn canaries(text: &str) -> BTreeSet<String> {
    let pattern = Regex::new("canary[0-9]+x").unwrap();
    pattern
        .find_iter(text)
        .map(|word| word.as_str().to_owned())
        .collect()
}

/// Every canary that a user may read: in messages and their revisions, titles, topics and profiles.
fn readable(tables: &Tables, user: UserId, bios: &BTreeSet<String>) -> BTreeSet<String> {
    let mut words = bios.clone();
    let visible = tables.messages.iter();
    for row in visible.filter(|row| row.deleted_at.is_none() && tables.may_see(user, row)) {
        let texts = [&row.body, &row.notice];
        words.extend(texts.into_iter().flatten().flat_map(|text| canaries(text)));
        let revisions = tables.revisions.iter();
        for revision in revisions.filter(|revision| revision.message_id == row.id) {
            words.extend(canaries(&revision.body));
            words.extend(revision.reason.iter().flat_map(|text| canaries(text)));
        }
    }
    for place in &tables.conversations {
        if tables.member(place.id, user).is_some() {
            let texts = [&place.title, &place.topic];
            words.extend(texts.into_iter().flatten().flat_map(|text| canaries(text)));
        }
    }
    words
}

/// Verifies that a user loaded and received no other canaries, and that their lists are complete.
pub(super) fn check(
    tables: &Tables,
    bios: &BTreeSet<String>,
    who: &Person,
    state: &State,
    received: &[Value],
) {
    let user = UserId::from_text(&who.id);
    let readable = readable(tables, user, bios);
    for (what, text) in [
        ("loaded", &state.text),
        ("received", &json!(received).to_string()),
    ] {
        let words = canaries(text);
        let leaked: Vec<_> = words.difference(&readable).collect();
        assert!(leaked.is_empty(), "{} {what} {leaked:?}", who.username);
    }
    let seen = |prefix: &str| -> BTreeSet<String> {
        let ids = state.objects.keys().filter(|id| id.starts_with(prefix));
        ids.cloned().collect()
    };
    let messages = tables.messages.iter();
    let messages = messages.filter(|row| row.is_shown() && tables.may_see(user, row));
    let messages: BTreeSet<_> = messages.map(|row| row.id.to_string()).collect();
    assert_eq!(seen("msg_"), messages, "{}", who.username);
    let places = tables.members.iter().filter(|row| row.user_id == user);
    let places: BTreeSet<_> = places.map(|row| row.conversation_id.to_string()).collect();
    assert_eq!(seen("cnv_"), places, "{}", who.username);
    let threads = tables.threads.iter().filter(|row| row.reply_count > 0);
    let threads: BTreeSet<_> = threads
        .map(|row| row.id.to_string())
        .filter(|id| messages.contains(&id.replace("thr_", "msg_")))
        .collect();
    assert_eq!(seen("thr_"), threads, "{}", who.username);
    let unread = &state.objects["unread"].value["list"];
    for message in unread["nodes"].as_array().unwrap() {
        assert!(messages.contains(message["id"].as_str().unwrap()));
    }
}

/// Requests every object by its id, also deleted ones: it is there only for users who may see it.
pub(super) async fn knocks(tables: &Tables, known: &Known, who: &Person) {
    let user = UserId::from_text(&who.id);
    let mut doors: Vec<(String, bool)> = vec![];
    for message in &known.messages {
        let row = tables
            .messages
            .iter()
            .find(|row| row.id.to_string() == message.id);
        let opens = row.is_some_and(|row| row.is_shown() && tables.may_see(user, row));
        doors.push((message.id.clone(), opens));
    }
    for row in tables.messages.iter().filter(|row| row.notice.is_some()) {
        doors.push((row.id.to_string(), tables.may_see(user, row)));
    }
    for place in &known.places {
        let id = ConversationId::from_text(&place.id);
        doors.push((place.id.clone(), tables.member(id, user).is_some()));
    }
    for thread in &tables.threads {
        let root = tables
            .messages
            .iter()
            .find(|row| row.id == thread.id.into());
        let opens = root.is_some_and(|row| row.is_shown() && tables.may_see(user, row));
        doors.push((thread.id.to_string(), opens));
    }
    for member in &tables.members {
        let id = member.id.to_string();
        doors.push((id.replace("prt_", "mbr_"), member.user_id == user));
        doors.push((id, tables.member(member.conversation_id, user).is_some()));
    }
    for revision in &tables.revisions {
        let row = tables
            .messages
            .iter()
            .find(|row| row.id == revision.message_id);
        doors.push((revision.id.to_string(), tables.may_see(user, row.unwrap())));
    }
    for notification in &tables.notifications {
        doors.push((notification.id.to_string(), notification.user_id == user));
    }
    for some in doors.chunks(100) {
        let ids: Vec<_> = some.iter().map(|(id, _)| id).collect();
        let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let data = who.execute(nodes, json!({ "ids": ids })).await;
        for (node, (id, opens)) in data["nodes"].as_array().unwrap().iter().zip(some) {
            assert_eq!(!node.is_null(), *opens, "{} and {id}", who.username);
        }
    }
}

/// Verifies that no table and no log line contains deleted, replaced or rejected text.
pub(super) async fn erased_text_is_in_no_table(app: &TestApp, tables: &Tables, known: &Known) {
    let mut gone: BTreeSet<&String> = known.never.iter().collect();
    let there = |id: &str| {
        tables
            .conversations
            .iter()
            .any(|row| row.id.to_string() == id)
    };
    for place in known.places.iter().filter(|place| !there(&place.id)) {
        gone.extend(&place.words);
    }
    for message in &known.messages {
        let departed = known
            .departed
            .iter()
            .any(|(user, all)| *all && *user == message.sender);
        if message.is_deleted || departed || !there(&message.place) {
            gone.extend(&message.words);
        }
    }
    let held = canaries(&dump(&app.app.db).await);
    let left: Vec<_> = gone.iter().filter(|word| held.contains(**word)).collect();
    assert!(left.is_empty(), "the tables still hold {left:?}");
    assert_eq!(
        canaries(&captured_logs::written()),
        BTreeSet::new(),
        "a log line contains a canary"
    );
}
