//! Unread counts, lists and totals for badges. All of it is SQL, because it applies the predicate for unread messages.
//! Reads only.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Value};

use crate::{
    db,
    domain::{
        notifications::plain,
        pagination::{Direction, PageRequest, Slice},
        predicates::{not_muted, unread, visible_to},
        reads::count,
        sessions::Viewer,
    },
    entity::message,
    error::Error,
    id::{ConversationId, MessageId, ThreadId},
};

/// Messages `m` that are selected by id, in the conversations of a user, whose id it binds. They are found first
/// ([`crate::domain::predicates::visible`] gives the reason).
const NAMED: &str = "FROM message m CROSS JOIN participant p
    WHERE p.conversation_id = m.conversation_id AND p.user_id = ?";

/// Totals for badges. Muted conversations do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Unread messages.
    pub messages: i64,
    /// Unread messages that mention the viewer.
    pub mentions: i64,
    /// Conversations with unread messages.
    pub conversations: i64,
    /// Followed threads with unread replies.
    pub threads: i64,
    /// Unread notifications.
    pub notifications: i64,
}

/// The viewer's totals at this time.
pub async fn totals<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    now: DateTime<Utc>,
) -> Result<Totals, Error> {
    let count = count::all(db.get_database_backend(), "c", "p");
    let (audible, unread, visible) = (not_muted("p"), unread("m", "p"), visible_to("r", "p"));
    let plain_notifications = plain::unread_count(db.get_database_backend());
    // An unread mention is above the floor, and so is the last reply of a thread with unread replies.
    let text = format!(
        "WITH counted AS MATERIALIZED (SELECT {count} AS unread
             FROM participant p JOIN conversation c ON c.id = p.conversation_id
             WHERE p.user_id = ? AND {audible} AND c.last_seq > p.read_floor_seq)
         SELECT COALESCE(CAST(SUM(counted.unread) AS BIGINT), 0) AS messages,
             COUNT(CASE WHEN counted.unread > 0 THEN 1 END) AS conversations,
             (SELECT COUNT(*) FROM participant p CROSS JOIN mention n CROSS JOIN message m
              WHERE p.user_id = ? AND {audible} AND n.user_id = p.user_id
                  AND n.conversation_id = p.conversation_id AND n.seq > p.read_floor_seq
                  AND m.id = n.message_id AND {unread}) AS mentions,
             (SELECT COUNT(*) FROM thread_follow f JOIN thread t ON t.id = f.thread_id
              JOIN message r ON r.id = f.thread_id
              JOIN participant p ON p.conversation_id = f.conversation_id AND p.user_id = f.user_id
              WHERE f.user_id = ? AND f.is_following AND {audible}
                  AND t.last_reply_seq > p.read_floor_seq AND {visible}
                  AND EXISTS (SELECT 1 FROM message m WHERE m.root_id = r.id
                      AND m.seq > COALESCE((SELECT k.seq FROM read_mark k
                          WHERE k.user_id = p.user_id AND k.lane_id = r.id), 0) AND {unread}))
                 AS threads,
             (SELECT COUNT(*) FROM notification WHERE user_id = ? AND read_at IS NULL)
                 + ({plain_notifications}) AS notifications
         FROM counted"
    );
    let (user, now) = (Value::from(viewer.user), Value::from(now));
    let each = [
        [user.clone(), now.clone()],
        [user.clone(), now.clone()],
        [user.clone(), now],
    ];
    let values = each
        .into_iter()
        .flatten()
        .chain([user.clone(), user])
        .collect::<Vec<_>>();
    let found: Option<_> = db::fetch_one(db, &text, values).await?;
    let (messages, conversations, mentions, threads, notifications) = found.unwrap_or_default();
    Ok(Totals {
        messages,
        mentions,
        conversations,
        threads,
        notifications,
    })
}

/// The conversations in which to count unread messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnreadScope {
    /// All conversations that are not muted at this time, as in [`totals`].
    Audible(DateTime<Utc>),
    /// This conversation, replies included.
    Conversation(ConversationId),
}

impl UnreadScope {
    fn sql(self) -> (String, Value) {
        match self {
            Self::Audible(now) => (not_muted("p"), now.into()),
            Self::Conversation(id) => ("p.conversation_id = ?".to_owned(), id.into()),
        }
    }
}

/// The number of unread messages.
pub async fn count<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    scope: UnreadScope,
) -> Result<i64, Error> {
    let (narrowed, value) = scope.sql();
    let text = format!(
        "SELECT COALESCE(CAST(SUM({}) AS BIGINT), 0) AS count
         FROM participant p JOIN conversation c ON c.id = p.conversation_id
         WHERE p.user_id = ? AND {narrowed} AND c.last_seq > p.read_floor_seq",
        count::all(db.get_database_backend(), "c", "p")
    );
    let found = db::fetch_one(db, &text, [viewer.user.into(), value]);
    Ok(found.await?.unwrap_or(0))
}

/// A page of the unread messages of one conversation, replies included, oldest first.
pub async fn list_in<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversation: ConversationId,
    span: &PageRequest<i32>,
) -> Result<Slice<message::Model>, Error> {
    // Bounded as in PageRequest::sql, from after the floor or the cursor, whichever is later.
    let direction = match span.end {
        Direction::First => "ASC",
        Direction::Last => "DESC",
    };
    let rest = format!(
        "AND (m.conversation_id, m.seq) > (p.conversation_id,
            CASE WHEN p.read_floor_seq > ? THEN p.read_floor_seq ELSE ? END)
        AND (m.conversation_id, m.seq) < (p.conversation_id, ?)
        ORDER BY m.conversation_id {direction}, m.seq {direction} LIMIT ?"
    );
    let (after, before) = (span.after.unwrap_or(0), span.before.unwrap_or(i32::MAX));
    let unread = unread("m", "p");
    let here: [Value; 2] = [viewer.user.into(), conversation.into()];
    let more: [Value; 4] = [
        after.into(),
        after.into(),
        before.into(),
        span.limit().into(),
    ];
    let (text, values) = match db.get_database_backend() {
        // Without LATERAL, PostgreSQL does not expect a single participant, and would collect and sort all unread
        // messages.
        DbBackend::Postgres => (
            format!(
                "SELECT m.* FROM participant p
                 CROSS JOIN LATERAL (SELECT m.* FROM message m WHERE {unread} {rest}) AS m
                 WHERE p.user_id = ? AND p.conversation_id = ?"
            ),
            more.into_iter().chain(here).collect::<Vec<_>>(),
        ),
        _ => (
            format!(
                "SELECT m.* FROM participant p CROSS JOIN message m
                 WHERE p.user_id = ? AND p.conversation_id = ? AND {unread} {rest}"
            ),
            here.into_iter().chain(more).collect(),
        ),
    };
    Ok(span.part(db::fetch_all(db, &text, values).await?))
}

/// The number of unread root messages of each conversation, without those that have none.
pub async fn of_conversations<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, i64>, Error> {
    if conversations.is_empty() {
        return Ok(HashMap::new());
    }
    let text = format!(
        "SELECT c.id, {} AS count FROM participant p JOIN conversation c ON c.id = p.conversation_id
         WHERE p.user_id = ? AND p.conversation_id IN ({}) AND c.last_root_seq > p.read_floor_seq",
        count::timeline(db.get_database_backend(), "c", "p"),
        db::placeholders(conversations.len())
    );
    let values = db::bind(viewer.user, conversations);
    let mut counts: HashMap<_, i64> = db::fetch_tuples(db, &text, values).await?;
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

/// The number of unread messages of each conversation, replies included, that mention the viewer, without conversations
/// that have none.
pub async fn mentions<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, i64>, Error> {
    let rest = format!(
        "FROM mention n JOIN message m ON m.id = n.message_id
         JOIN participant p ON p.conversation_id = n.conversation_id AND p.user_id = n.user_id
         WHERE n.user_id = ? AND n.conversation_id IN ({}) AND n.seq > p.read_floor_seq
             AND {}",
        db::placeholders(conversations.len()),
        unread("m", "p")
    );
    counts(db, "p.conversation_id", &rest, viewer, conversations).await
}

/// The number of unread replies of each thread, without those that have none.
pub async fn of_threads<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
) -> Result<HashMap<ThreadId, i64>, Error> {
    let rest = format!(
        "{NAMED} AND m.root_id IN ({}) AND {}",
        db::placeholders(threads.len()),
        unread("m", "p")
    );
    counts(db, "m.root_id", &rest, viewer, threads).await
}

async fn counts<K, C>(
    db: &C,
    key: &str,
    rest: &str,
    viewer: &Viewer,
    ids: &[K],
) -> Result<HashMap<K, i64>, Error>
where
    K: Copy + Eq + std::hash::Hash + Into<Value> + sea_orm::TryGetable,
    C: ConnectionTrait,
{
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let text = format!("SELECT {key} AS id, COUNT(*) AS count {rest} GROUP BY {key}");
    db::fetch_tuples(db, &text, db::bind(viewer.user, ids)).await
}

/// The messages among these that are unread.
pub async fn among<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    messages: &[MessageId],
) -> Result<HashSet<MessageId>, Error> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let text = format!(
        "SELECT m.id {NAMED} AND m.id IN ({}) AND {}",
        db::placeholders(messages.len()),
        unread("m", "p")
    );
    db::fetch_tuples(db, &text, db::bind(viewer.user, messages)).await
}
