//! Plain notifications that are read or dismissed by themselves: single ones are marked, and all up to a time by a
//! sequence number of the participant.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    find::{P, notifies, notifies_unread, select},
    ids::notification_id,
};
use crate::{
    db::{self, Tx},
    domain::{predicates::users_blocked_with, sessions::Viewer},
    entity::{message, notification, notification_mark, participant},
    error::Error,
    id::{MessageId, NotificationId, ParticipantId},
};

/// Whether notifications are read or dismissed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::notifications) enum MarkKind {
    Read,
    Dismissed,
}

/// Marks the plain notifications of these messages. Returns the ids of those that changed.
pub(in crate::domain::notifications) async fn mark_in(
    tx: &Tx,
    viewer: &Viewer,
    messages: &[MessageId],
    kind: MarkKind,
    at: DateTime<Utc>,
) -> Result<Vec<NotificationId>, Error> {
    if messages.is_empty() {
        return Ok(vec![]);
    }
    let condition = match kind {
        MarkKind::Read => notifies_unread(),
        MarkKind::Dismissed => notifies(),
    };
    let found: Vec<(MessageId, ParticipantId, Uuid, i32)> = select(viewer, condition)
        .column(message::Column::Id)
        .expr(Expr::col((P, participant::Column::Id)))
        .expr(Expr::cust(
            "COALESCE(message.root_id, message.conversation_id)",
        ))
        .column(message::Column::Seq)
        .filter(message::Column::Id.is_in(messages.iter().copied()))
        .into_tuple()
        .all(tx)
        .await?;
    let marks = found.iter().map(
        |&(_, participant_id, scope_id, seq)| notification_mark::Model {
            participant_id,
            scope_id,
            is_dismissed: kind == MarkKind::Dismissed,
            from_seq: seq,
            to_seq: seq,
            at,
        },
    );
    insert_marks_in(tx, marks).await?;
    let ids = found
        .iter()
        .map(|&(id, ..)| notification_id(id, viewer.user));
    Ok(ids.collect())
}

/// Dismisses the plain notifications of these new messages for the participants who have a block with the sender, so that
/// they never exist.
pub async fn silence_blocked_in(tx: &Tx, messages: &[&message::Model]) -> Result<(), Error> {
    for message in messages {
        let Some(sender) = message.sender_id else {
            continue;
        };
        let silenced: Vec<ParticipantId> = participant::Entity::find()
            .select_only()
            .column(participant::Column::Id)
            .filter(participant::Column::ConversationId.eq(message.conversation_id))
            .filter(participant::Column::UserId.in_subquery(users_blocked_with(sender)))
            .into_tuple()
            .all(tx)
            .await?;
        let marks = silenced
            .into_iter()
            .map(|participant_id| notification_mark::Model {
                participant_id,
                scope_id: (message.root_id).map_or(message.conversation_id.0, |root| root.0),
                is_dismissed: true,
                from_seq: message.seq,
                to_seq: message.seq,
                at: message.created_at,
            });
        insert_marks_in(tx, marks).await?;
    }
    Ok(())
}

async fn insert_marks_in(
    tx: &Tx,
    marks: impl Iterator<Item = notification_mark::Model>,
) -> Result<(), Error> {
    let rows: Vec<_> = marks.map(IntoActiveModel::into_active_model).collect();
    if rows.is_empty() {
        return Ok(());
    }
    notification_mark::Entity::insert_many(rows)
        .on_conflict_do_nothing()
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Dismisses the plain notification that a message has without a stored one, which was dismissed.
pub(in crate::domain::notifications) async fn dismiss_stored_in(
    tx: &Tx,
    viewer: &Viewer,
    stored: &[notification::Model],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let messages: Vec<_> = stored.iter().filter_map(|row| row.message_id).collect();
    mark_in(tx, viewer, &messages, MarkKind::Dismissed, at).await?;
    Ok(())
}

/// How many plain notifications of one conversation are unread up to some time, and the last of them.
#[derive(Debug, FromQueryResult)]
pub(in crate::domain::notifications) struct UnreadUntil {
    participant_id: ParticipantId,
    pub(in crate::domain::notifications) count: i64,
    last: i32,
}

/// The viewer's conversations with unread plain notifications created until this time.
pub(in crate::domain::notifications) async fn unread_until_in(
    tx: &Tx,
    viewer: &Viewer,
    until: DateTime<Utc>,
) -> Result<Vec<UnreadUntil>, Error> {
    let id = Expr::col((P, participant::Column::Id));
    let found = select(viewer, notifies_unread())
        .expr_as(id.clone(), "participant_id")
        .column_as(message::Column::Id.count(), "count")
        .column_as(message::Column::Seq.max(), "last")
        .filter(message::Column::CreatedAt.lte(until))
        .group_by(id)
        .into_model()
        .all(tx)
        .await?;
    Ok(found)
}

/// Marks the plain notifications of each of these conversations as read, up to the last one found.
pub(in crate::domain::notifications) async fn mark_until_in(
    tx: &Tx,
    found: &[UnreadUntil],
) -> Result<(), Error> {
    for one in found {
        participant::Entity::update_many()
            .col_expr(
                participant::Column::NotificationsReadSeq,
                Expr::val(one.last),
            )
            .filter(participant::Column::Id.eq(one.participant_id))
            .filter(participant::Column::NotificationsReadSeq.lt(one.last))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Dismisses the plain notifications of all the viewer's conversations that were created until this time.
pub(in crate::domain::notifications) async fn dismiss_until_in(
    tx: &Tx,
    viewer: &Viewer,
    until: DateTime<Utc>,
) -> Result<(), Error> {
    // The times of a conversation's messages are in the order of its sequence numbers.
    let next = "COALESCE((SELECT m.seq + 1 FROM message m WHERE m.conversation_id = participant.conversation_id
             AND m.import_key IS NULL AND m.created_at <= ? AND m.created_at >= participant.joined_at
             AND m.seq >= participant.notified_from_seq
         ORDER BY m.created_at DESC, m.seq DESC LIMIT 1), notified_from_seq)";
    let next = db::number_placeholders(tx.get_database_backend(), next);
    let has_later = "notified_from_seq <= (SELECT c.last_seq FROM conversation c
         WHERE c.id = participant.conversation_id)";
    participant::Entity::update_many()
        .col_expr(
            participant::Column::NotifiedFromSeq,
            Expr::cust_with_values(next, [until]),
        )
        .filter(participant::Column::UserId.eq(viewer.user))
        .filter(Expr::cust(has_later))
        .exec(tx)
        .await?;
    Ok(())
}

/// Keeps the plain notifications read of the messages in one scope that the viewer is about to mark unread: those from
/// `from_seq` up to `read_seq`, and those with exceptions after it.
pub async fn keep_read_in(
    tx: &Tx,
    participant: &participant::Model,
    scope_id: Uuid,
    (from_seq, read_seq): (i32, i32),
    exceptions: &[i32],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let at = participant.read_at.unwrap_or(at);
    let mark = |from_seq, to_seq| notification_mark::Model {
        participant_id: participant.id,
        scope_id,
        is_dismissed: false,
        from_seq,
        to_seq,
        at,
    };
    if from_seq <= read_seq {
        // A longer mark from the same message on takes the place of a shorter one.
        notification_mark::Entity::delete_many()
            .filter(notification_mark::Column::ParticipantId.eq(participant.id))
            .filter(notification_mark::Column::ScopeId.eq(scope_id))
            .filter(notification_mark::Column::IsDismissed.eq(false))
            .filter(notification_mark::Column::FromSeq.gte(from_seq))
            .filter(notification_mark::Column::ToSeq.lte(read_seq))
            .exec(tx)
            .await?;
        insert_marks_in(tx, std::iter::once(mark(from_seq, read_seq))).await?;
    }
    let after = exceptions
        .iter()
        .filter(|seq| **seq > Ord::max(read_seq, from_seq - 1));
    insert_marks_in(tx, after.map(|&seq| mark(seq, seq))).await
}
