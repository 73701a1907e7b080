//! Describes everything that follows from the sent messages, in text that does not depend on the server.

use std::collections::BTreeMap;

use heddle::{db, live::log::Change};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};
use uuid::Uuid;

use super::operations::Stage;

const LINES: [&str; 6] = [
    "SELECT c.title || ' has ' || c.last_seq || ' ' || c.last_root_seq || ' ' || c.event_seq AS line
     FROM (SELECT COALESCE(title, '-') AS title, last_seq, last_root_seq, event_seq FROM conversation) c",
    "SELECT COALESCE(c.title, '-') || ' ' || m.seq || ': ' || COALESCE(m.body, '-') || ' by ' || COALESCE(u.username, '-')
         || ' below ' || COALESCE(p.body, '-') || ' in ' || COALESCE(r.body, '-') || ' at ' || m.depth
         || ' with ' || m.reply_count || ' and ' || m.descendant_count || ' ' || m.priority AS line
     FROM message m JOIN conversation c ON c.id = m.conversation_id LEFT JOIN \"user\" u ON u.id = m.sender_id
     LEFT JOIN message p ON p.id = m.parent_id LEFT JOIN message r ON r.id = m.root_id",
    "SELECT COALESCE(c.title, '-') || ' ' || m.seq || ' has ' || t.reply_count || ' up to ' || t.last_reply_seq AS line
     FROM thread t JOIN message m ON m.id = t.id JOIN conversation c ON c.id = m.conversation_id",
    "SELECT u.username || ' follows ' || COALESCE(c.title, '-') || ' ' || m.seq || ' from ' || f.from_seq AS line
     FROM thread_follow f JOIN message m ON m.id = f.thread_id JOIN conversation c ON c.id = m.conversation_id
     JOIN \"user\" u ON u.id = f.user_id WHERE f.is_following",
    "SELECT u.username || ' is mentioned in ' || COALESCE(c.title, '-') || ' ' || n.seq AS line
     FROM mention n JOIN conversation c ON c.id = n.conversation_id JOIN \"user\" u ON u.id = n.user_id",
    "SELECT u.username || ' is notified of ' || n.kind || ' ' || COALESCE(c.title, '-') || ' ' || COALESCE(m.seq, 0)
         || ' by ' || a.username AS line
     FROM notification n JOIN \"user\" u ON u.id = n.user_id JOIN conversation c ON c.id = n.conversation_id
     LEFT JOIN message m ON m.id = n.message_id
     JOIN \"user\" a ON a.id = COALESCE(n.actor_id, m.sender_id)",
];

const UNREAD: &str =
    "{ viewer { unread { messages mentions conversations threads notifications } } }";
const NOTIFICATIONS: &str =
    "query($after: String) { viewer { notifications(first: 100, after: $after) {
    nodes { type isRead message { body } } pageInfo { hasNextPage endCursor } } } }";

#[derive(FromQueryResult)]
struct Line {
    line: String,
}

/// Describes the tables, the log and the unread counts.
pub(super) async fn of(stage: &Stage<'_>) -> Vec<String> {
    let mut lines = vec![];
    for text in LINES {
        let mut some: Vec<_> = all::<Line>(stage, text)
            .await
            .into_iter()
            .map(|line| line.line)
            .collect();
        some.sort();
        lines.extend(some);
    }
    lines.extend(announced(stage).await);
    for person in &stage.people {
        let unread = person.execute(UNREAD, Value::Null).await;
        lines.push(format!("{} has {unread}", person.username));
        let mut notified = vec![];
        let mut after = Value::Null;
        loop {
            let data = person.execute(NOTIFICATIONS, json!({ "after": after }));
            let page = data.await["viewer"]["notifications"].take();
            let nodes = page["nodes"].as_array().into_iter().flatten();
            notified.extend(nodes.map(|one| format!("{} is notified: {one}", person.username)));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        notified.sort();
        lines.extend(notified);
    }
    lines
}

/// Returns the events of each conversation, in order.
async fn announced(stage: &Stage<'_>) -> Vec<String> {
    #[derive(FromQueryResult)]
    struct Event {
        name: String,
        seq: i64,
        payload: String,
    }
    #[derive(FromQueryResult)]
    struct Named {
        id: Uuid,
        name: String,
    }
    let names = "SELECT id, COALESCE(body, '-') AS name FROM message UNION ALL SELECT id, username FROM \"user\"
        UNION ALL SELECT n.id, COALESCE(m.body, '-') FROM notification n LEFT JOIN message m ON m.id = n.message_id";
    let names = all::<Named>(stage, names).await.into_iter();
    let names: BTreeMap<_, _> = names.map(|named| (named.id, named.name)).collect();
    // Events of a deleted message are deleted with it.
    let name_of = |id| names.get(&id).map_or("-", String::as_str);
    let events = "SELECT COALESCE(c.title, '-') AS name, e.seq, e.payload
        FROM event e JOIN conversation c ON c.id = e.stream_id ORDER BY e.position";
    let (mut streams, mut last) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::new());
    for Event { name, seq, payload } in all::<Event>(stage, events).await {
        // The log contains each conversation in its order.
        assert_eq!(
            last.insert(name.clone(), seq).unwrap_or(0) + 1,
            seq,
            "{name}"
        );
        let words = match serde_json::from_str(&payload).unwrap() {
            Change::MessageSent { message } => format!("sent {}", name_of(message.0)),
            Change::ThreadChanged { thread } => format!("grew {}", name_of(thread.0)),
            Change::NotificationsAdded { to, .. } => {
                let mut people: Vec<_> = to
                    .iter()
                    .map(|(user, announced)| {
                        format!("{} of {}", name_of(user.0), name_of(announced.0))
                    })
                    .collect();
                people.sort();
                format!("notifies {people:?}")
            }
            other => other.kind().to_owned(),
        };
        let stream = streams.entry(name.clone()).or_default();
        stream.push(format!("{name} {seq}: {words}"));
    }
    streams.into_values().flatten().collect()
}

async fn all<T: FromQueryResult>(stage: &Stage<'_>, text: &str) -> Vec<T> {
    db::fetch_all(stage.app.app.db.read(), text, [])
        .await
        .unwrap()
}
