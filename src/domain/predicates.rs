//! The rules for who sees a message and to whom it is unread, as SQL conditions over table aliases. The lowest module
//! of `domain`: every statement that applies such a rule takes it from here.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, Query, SelectStatement, SubQueryStatement, UnionType},
};

use crate::{
    entity::{block, conversation, message, participant},
    id::UserId,
};

/// Whether a participant sees a message of their own conversation. This and the conditions below state one rule: the
/// messages from `visible_from_seq` on are visible, deleted ones included.
#[must_use]
pub fn sees(participant: &participant::Model, message: &message::Model) -> bool {
    message.conversation_id == participant.conversation_id
        && message.seq >= participant.visible_from_seq
}

/// Whether message `m` is visible to participant `p`, a row of its conversation.
#[must_use]
pub fn visible_to(m: &str, p: &str) -> String {
    format!("{m}.seq >= {p}.visible_from_seq")
}

/// The sequence number of the last message that is hidden from participant `p`.
#[must_use]
pub fn last_hidden(p: &str) -> String {
    format!("{p}.visible_from_seq - 1")
}

/// The sequence number from which on a user sees a conversation, NULL unless they participate in it. Binds the values
/// of `conversation`, an SQL expression, and then the user's id.
#[must_use]
pub fn visible_from(conversation: &str) -> String {
    format!(
        "(SELECT p.visible_from_seq FROM participant p
             WHERE p.conversation_id = {conversation} AND p.user_id = ?)"
    )
}

/// Whether message `m` is visible to a user, whose id it binds.
///
/// The messages are found first, and visibility is checked per row: the check is a correlated scalar subquery, so the
/// planner cannot start from it. Given a join instead, SQLite takes a list of a hundred ids for more work than all
/// messages that a user sees, and PostgreSQL, which plans without values, takes a thread for a few replies, starts from
/// the user's conversations, and sorts what an index returns in order. The sum prevents an index search for the number.
#[must_use]
pub fn visible(m: &str) -> String {
    let visible_from = visible_from(&format!("{m}.conversation_id"));
    format!("{m}.seq + 0 >= {visible_from}")
}

/// [`visible`] for entity queries over the message table.
#[must_use]
pub fn is_visible(user: UserId) -> Expr {
    let message = |column| Expr::col((message::Entity, column));
    let participant = |column| Expr::col((participant::Entity, column));
    let visible_from = Query::select()
        .expr(participant(participant::Column::VisibleFromSeq))
        .from(participant::Entity)
        .and_where(
            participant(participant::Column::ConversationId)
                .eq(message(message::Column::ConversationId)),
        )
        .and_where(participant(participant::Column::UserId).eq(user))
        .to_owned();
    message(message::Column::Seq).gte(Expr::from(SubQueryStatement::from(visible_from)))
}

/// Whether a user participates in a conversation, for entity queries over the conversation table.
#[must_use]
pub fn participates(user: UserId) -> Expr {
    let participant = |column| Expr::col((participant::Entity, column));
    let participation = Query::select()
        .expr(Expr::val(1))
        .from(participant::Entity)
        .and_where(
            participant(participant::Column::ConversationId)
                .equals((conversation::Entity, conversation::Column::Id)),
        )
        .and_where(participant(participant::Column::UserId).eq(user))
        .to_owned();
    Expr::exists(participation)
}

/// Whether lists show message `m`: [`message::Model::is_shown`] in SQL.
#[must_use]
pub fn shown(m: &str) -> String {
    format!("({m}.deleted_at IS NULL OR {m}.descendant_count > 0)")
}

/// [`shown`] for entity queries over the message table.
#[must_use]
pub fn is_shown() -> Expr {
    let message = |column| Expr::col((message::Entity, column));
    message(message::Column::DeletedAt)
        .is_null()
        .or(message(message::Column::DescendantCount).gt(0))
}

/// The users with whom a user has a block, in any direction, as a subquery. `user` is an SQL expression for their id; its
/// values are bound twice.
#[must_use]
pub fn blocked_with(user: &str) -> String {
    format!(
        "(SELECT x.blocked_id FROM block x WHERE x.blocker_id = {user}
         UNION ALL SELECT x.blocker_id FROM block x WHERE x.blocked_id = {user})"
    )
}

/// [`blocked_with`] for entity queries.
#[must_use]
pub fn users_blocked_with(user: UserId) -> SelectStatement {
    let others = |own: block::Column, other: block::Column| {
        let blocks = block::Entity::find().select_only().column(other);
        blocks.filter(own.eq(user)).into_query()
    };
    let by_others = others(block::Column::BlockedId, block::Column::BlockerId);
    others(block::Column::BlockerId, block::Column::BlockedId)
        .union(UnionType::All, by_others)
        .to_owned()
}

/// Whether message `m` was not sent by participant `p`.
#[must_use]
pub fn sent_by_others(m: &str, p: &str) -> String {
    format!("({m}.sender_id IS NULL OR {m}.sender_id <> {p}.user_id)")
}

/// Whether message `m` is unread for participant `p`, a row of its conversation. The read scope of a message is the
/// timeline of its conversation, or else its thread.
#[must_use]
pub fn unread(m: &str, p: &str) -> String {
    let (visible, by_others) = (visible_to(m, p), sent_by_others(m, p));
    format!(
        "{m}.seq > {p}.read_floor_seq AND {visible}
         AND {m}.kind = 'USER' AND {m}.deleted_at IS NULL
         AND {by_others}
         AND NOT EXISTS (SELECT 1 FROM read_mark k WHERE k.user_id = {p}.user_id
             AND k.lane_id = COALESCE({m}.root_id, {m}.conversation_id) AND k.seq >= {m}.seq)
         AND NOT EXISTS (SELECT 1 FROM read_exception x WHERE x.user_id = {p}.user_id
             AND x.lane_id = COALESCE({m}.root_id, {m}.conversation_id) AND x.seq = {m}.seq)"
    )
}

/// The sequence number up to which participant `p` has read all messages of a scope, or does not see them. `scope` is an
/// SQL expression for its id.
#[must_use]
pub fn read_up_to(backend: DbBackend, p: &str, scope: &str) -> String {
    let (greatest, last_hidden) = (greatest(backend), last_hidden(p));
    format!(
        "{greatest}({p}.read_floor_seq, {last_hidden}, COALESCE((SELECT k.seq FROM read_mark k
             WHERE k.user_id = {p}.user_id AND k.lane_id = {scope}), 0))"
    )
}

/// The function for the greatest of several values.
#[must_use]
pub fn greatest(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "GREATEST",
        _ => "MAX",
    }
}

/// The function of the database for the least of several values.
#[must_use]
pub fn least(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "LEAST",
        _ => "MIN",
    }
}

/// [`unread`] for the messages `m` of one scope: the search begins where participant `p` stopped reading. A condition for
/// each message would read all those up to the mark.
#[must_use]
pub fn unread_in_scope(backend: DbBackend, m: &str, p: &str, scope: &str) -> String {
    let (start, by_others) = (read_up_to(backend, p, scope), sent_by_others(m, p));
    format!(
        "{m}.seq > {start} AND {m}.kind = 'USER' AND {m}.deleted_at IS NULL AND {by_others}
         AND NOT EXISTS (SELECT 1 FROM read_exception x WHERE x.user_id = {p}.user_id
             AND x.lane_id = {scope} AND x.seq = {m}.seq)"
    )
}

/// Whether participant `p` has not muted the conversation; binds the time.
#[must_use]
pub fn not_muted(p: &str) -> String {
    format!("({p}.muted_until IS NULL OR {p}.muted_until <= ?)")
}

/// Whether participant `p` accepts notifications from the conversation; binds the time.
#[must_use]
pub fn listens(p: &str) -> String {
    format!("{p}.notification_level <> 'NONE' AND {}", not_muted(p))
}
