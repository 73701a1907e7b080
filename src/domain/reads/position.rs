//! Read positions: the last read message of a scope and the first unread one. All of it is SQL, because both are
//! correlated subqueries per row. Reads only.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbBackend, TryGetable, Value};

use crate::{
    db,
    domain::{
        predicates::{unread_in_scope, visible_to},
        sessions::Viewer,
    },
    error::Error,
    id::{ConversationId, MessageId, ThreadId},
};

/// A read scope, as SQL.
#[derive(Clone, Copy)]
pub(in crate::domain) struct ScopeSql {
    /// The condition for its messages `m`.
    messages: &'static str,
    /// Its id.
    id: &'static str,
}

/// The timeline of participant `p`.
pub(in crate::domain) const TIMELINE: ScopeSql = ScopeSql {
    messages: "m.conversation_id = p.conversation_id AND m.root_id IS NULL",
    id: "p.conversation_id",
};
/// The thread of root message `r`.
pub(super) const REPLIES: ScopeSql = ScopeSql {
    messages: "m.root_id = r.id",
    id: "r.id",
};

/// A read position in a timeline or a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The last message before the first unread one, or of all; none when nothing precedes it.
    pub last_read: Option<MessageId>,
    /// The first unread message.
    pub first_unread: Option<MessageId>,
}

/// The viewer's read positions in the timelines of these conversations.
pub async fn in_conversations<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, Position>, Error> {
    let from = format!(
        "SELECT p.conversation_id AS id, {} FROM participant p
         WHERE p.user_id = ? AND p.conversation_id IN ({})",
        columns(db.get_database_backend(), TIMELINE),
        db::placeholders(conversations.len())
    );
    positions(db, &from, viewer, conversations).await
}

/// The viewer's read positions in these threads.
pub async fn in_threads<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
) -> Result<HashMap<ThreadId, Position>, Error> {
    let from = format!(
        "SELECT r.id AS id, {} FROM message r
         JOIN participant p ON p.conversation_id = r.conversation_id
         WHERE p.user_id = ? AND r.id IN ({})",
        columns(db.get_database_backend(), REPLIES),
        db::placeholders(threads.len())
    );
    positions(db, &from, viewer, threads).await
}

fn columns(backend: DbBackend, scope: ScopeSql) -> String {
    let last_read = last_read(backend, scope);
    let first_unread = first_unread(backend, "m.id", scope);
    format!("{last_read} AS last_read, {first_unread} AS first_unread")
}

/// SQL for the last message of a scope before its first unread one, or of the whole scope, for participant `p`.
pub(super) fn last_read(backend: DbBackend, scope: ScopeSql) -> String {
    format!(
        "(SELECT m.id FROM message m WHERE {}
             AND m.kind = 'USER' AND m.deleted_at IS NULL AND {}
             AND m.seq < COALESCE({}, {})
             ORDER BY m.seq DESC LIMIT 1)",
        scope.messages,
        visible_to("m", "p"),
        first_unread(backend, "m.seq", scope),
        i32::MAX,
    )
}

/// SQL for the first unread message of a scope, for participant `p`.
pub(in crate::domain) fn first_unread(backend: DbBackend, what: &str, scope: ScopeSql) -> String {
    let unread = unread_in_scope(backend, "m", "p", scope.id);
    let messages = scope.messages;
    format!("(SELECT {what} FROM message m WHERE {messages} AND {unread} ORDER BY m.seq LIMIT 1)")
}

async fn positions<K, C>(
    db: &C,
    text: &str,
    viewer: &Viewer,
    ids: &[K],
) -> Result<HashMap<K, Position>, Error>
where
    K: Copy + Eq + std::hash::Hash + Into<Value> + TryGetable,
    C: ConnectionTrait,
{
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<_> = db::fetch_tuples(db, text, db::bind(viewer.user, ids)).await?;
    let position = |(id, last_read, first_unread)| {
        let position = Position {
            last_read,
            first_unread,
        };
        (id, position)
    };
    Ok(rows.into_iter().map(position).collect())
}
