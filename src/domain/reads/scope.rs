//! Read scopes: stores, raises and compacts their marks and exceptions. Runs inside transactions that hold the lock of
//! [`lock_in`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Value,
    sea_query::{Expr, LockType, OnConflict},
};
use uuid::Uuid;

use crate::{
    db::{self, Tx},
    domain::{
        predicates::unread,
        reads::position::{REPLIES, TIMELINE, first_unread},
        sessions::Viewer,
    },
    entity::{
        participant::{self, Column},
        read_exception, read_mark,
    },
    error::Error,
    id::{ConversationId, MessageId, ThreadId},
};

/// A conversation's timeline, or one of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ReadScope {
    pub(super) conversation: ConversationId,
    pub(super) thread: Option<ThreadId>,
}

impl ReadScope {
    pub(super) fn of(conversation: ConversationId, root: Option<MessageId>) -> Self {
        Self {
            conversation,
            thread: root.map(ThreadId::from),
        }
    }

    /// The id under which marks are stored.
    pub(super) fn id(self) -> Uuid {
        self.thread.map_or(self.conversation.0, |thread| thread.0)
    }
}

/// Locks the viewer's read state in these conversations until the commit and returns the floors: the messages up to
/// there are read. Skips conversations in which the viewer does not participate.
pub(super) async fn lock_in(
    tx: &Tx,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, i32>, Error> {
    if conversations.is_empty() {
        return Ok(HashMap::new());
    }
    // Every transaction locks in this order, so that two of them cannot deadlock. SQLite has one writer and no row
    // locks.
    let mut select = participant::Entity::find()
        .select_only()
        .columns([Column::ConversationId, Column::ReadFloorSeq])
        .filter(Column::UserId.eq(viewer.user))
        .filter(Column::ConversationId.is_in(conversations.iter().copied()));
    if tx.get_database_backend() == DbBackend::Postgres {
        select = select
            .order_by_asc(Column::ConversationId)
            .lock(LockType::NoKeyUpdate);
    }
    let rows: Vec<(ConversationId, i32)> = select.into_tuple().all(tx).await?;
    Ok(rows.into_iter().collect())
}

/// A position in a scope: a mark, up to which all messages are read, or one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScopedSeq {
    pub(super) scope: ReadScope,
    pub(super) seq: i32,
}

/// Raises marks to these positions, except those that are already higher. Deletes the exceptions that a mark covers.
pub(super) async fn raise_in(tx: &Tx, viewer: &Viewer, marks: &[ScopedSeq]) -> Result<(), Error> {
    if marks.is_empty() {
        return Ok(());
    }
    let rows = marks.iter().map(|mark| read_mark::ActiveModel {
        user_id: Set(viewer.user),
        lane_id: Set(mark.scope.id()),
        conversation_id: Set(mark.scope.conversation),
        seq: Set(mark.seq),
    });
    let seq = read_mark::Column::Seq;
    let rises = Expr::col((read_mark::Entity, seq)).lt(Expr::col(("excluded", seq)));
    let mut raise = OnConflict::columns([read_mark::Column::UserId, read_mark::Column::LaneId]);
    raise.update_column(seq).action_and_where(rises);
    read_mark::Entity::insert_many(rows)
        .on_conflict(raise)
        .exec_without_returning(tx)
        .await?;
    let is_covered =
        "seq <= (SELECT k.seq FROM read_mark k WHERE k.user_id = read_exception.user_id
         AND k.lane_id = read_exception.lane_id)";
    let scopes = marks.iter().map(|mark| mark.scope.id());
    read_exception::Entity::delete_many()
        .filter(read_exception::Column::UserId.eq(viewer.user))
        .filter(read_exception::Column::LaneId.is_in(scopes))
        .filter(Expr::cust(is_covered))
        .exec(tx)
        .await?;
    Ok(())
}

/// Stores single messages as read, by scope and sequence number.
pub(super) async fn except_in(
    tx: &Tx,
    viewer: &Viewer,
    messages: &[ScopedSeq],
) -> Result<(), Error> {
    let rows = messages.iter().map(|message| read_exception::ActiveModel {
        user_id: Set(viewer.user),
        lane_id: Set(message.scope.id()),
        conversation_id: Set(message.scope.conversation),
        seq: Set(message.seq),
    });
    read_exception::Entity::insert_many(rows)
        .on_conflict_do_nothing()
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The last sequence number of each scope that is read without a gap: before its first unread message, or its end.
pub(super) async fn ends_in(
    tx: &Tx,
    viewer: &Viewer,
    scopes: &[ReadScope],
) -> Result<HashMap<Uuid, i32>, Error> {
    let backend = tx.get_database_backend();
    let ids: Vec<Uuid> = scopes.iter().map(|scope| scope.id()).collect();
    let marks = db::placeholders(ids.len());
    // The ends are read first, so that a message that arrives between the two statements is unread and after the end.
    let text = format!(
        "SELECT id AS scope, last_root_seq AS seq FROM conversation WHERE id IN ({marks})
         UNION ALL
         SELECT root_id AS scope, MAX(seq) AS seq FROM message WHERE root_id IN ({marks})
         GROUP BY root_id"
    );
    let twice = ids.iter().chain(&ids).map(|&id| Value::from(id));
    let twice: Vec<_> = twice.collect();
    let rows: Vec<(Uuid, Option<i32>)> = db::fetch_tuples(tx, &text, twice).await?;
    let end = |(scope, seq): (_, Option<_>)| Some((scope, seq?));
    let mut ends: HashMap<_, _> = rows.into_iter().filter_map(end).collect();
    let text = format!(
        "SELECT p.conversation_id AS scope, {} AS seq FROM participant p
         WHERE p.user_id = ? AND p.conversation_id IN ({marks})
         UNION ALL
         SELECT r.id AS scope, {} AS seq FROM message r
         JOIN participant p ON p.conversation_id = r.conversation_id
         WHERE p.user_id = ? AND r.id IN ({marks})",
        first_unread(backend, "m.seq", TIMELINE),
        first_unread(backend, "m.seq", REPLIES),
    );
    let mut values = db::bind(viewer.user, &ids);
    values.extend(db::bind(viewer.user, &ids));
    let firsts: Vec<(Uuid, Option<i32>)> = db::fetch_tuples(tx, &text, values).await?;
    let before = |(scope, first): (_, Option<i32>)| Some((scope, first? - 1));
    ends.extend(firsts.into_iter().filter_map(before));
    Ok(ends)
}

/// Stores when the viewer has read there. Raises each floor to before the first message that is unread in any scope, and deletes the marks and exceptions that
/// it covers. This does not change which messages are read; it keeps counts fast. SQL for its correlated subqueries.
pub(super) async fn compact_marks_in(
    tx: &Tx,
    viewer: &Viewer,
    conversations: &[ConversationId],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let marks = db::placeholders(conversations.len());
    let text = format!(
        "UPDATE participant AS p SET read_at = ?, read_floor_seq = COALESCE(
             (SELECT m.seq - 1 FROM message m WHERE m.conversation_id = p.conversation_id
                 AND {} ORDER BY m.seq LIMIT 1),
             (SELECT c.last_seq FROM conversation c WHERE c.id = p.conversation_id))
         WHERE p.user_id = ? AND p.conversation_id IN ({marks})",
        unread("m", "p")
    );
    let values = std::iter::once(Value::from(at)).chain(db::bind(viewer.user, conversations));
    db::execute(tx, &text, values.collect::<Vec<_>>()).await?;
    for table in ["read_mark", "read_exception"] {
        let text = format!(
            "DELETE FROM {table} WHERE user_id = ? AND conversation_id IN ({marks})
             AND seq <= (SELECT p.read_floor_seq FROM participant p
                 WHERE p.user_id = {table}.user_id
                     AND p.conversation_id = {table}.conversation_id)"
        );
        db::execute(tx, &text, db::bind(viewer.user, conversations)).await?;
    }
    Ok(())
}
