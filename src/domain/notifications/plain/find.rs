//! Finds the plain notifications of given messages.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, JoinType,
    QueryFilter, QuerySelect, RelationDef, Select, sea_query::Expr,
};

use super::{
    ids::{message_id, notification_id},
    predicates::{exists, is_accepted, is_unread, kind, read_at},
};
use crate::{
    db::Tx,
    domain::{
        notifications::position::{ListedNotification, NotificationPlace, NotificationPosition},
        predicates::{sent_by_others, visible_to},
        sessions::Viewer,
    },
    entity::{
        message,
        notification::{self, NotificationType},
        participant,
    },
    error::Error,
    id::{ConversationId, MessageId, NotificationId, UserId},
};

/// The alias of the viewer's participation in [`select`].
pub(super) const P: &str = "p";

/// A message with a plain notification.
#[derive(Debug, FromQueryResult)]
pub(super) struct PlainRow {
    id: MessageId,
    conversation_id: ConversationId,
    seq: i32,
    sender_id: Option<UserId>,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
    kind: NotificationType,
}

impl PlainRow {
    pub(super) fn listed(self, user: UserId) -> ListedNotification {
        let place = NotificationPlace::Plain(self.conversation_id, self.seq);
        ListedNotification {
            position: NotificationPosition(self.created_at, place),
            row: self.notification(user),
        }
    }

    pub(super) fn notification(self, user: UserId) -> notification::Model {
        notification::Model {
            id: notification_id(self.id, user),
            user_id: user,
            kind: self.kind,
            actor_id: self.sender_id,
            message_id: Some(self.id),
            conversation_id: Some(self.conversation_id),
            created_at: self.created_at,
            read_at: self.read_at,
        }
    }
}

/// The messages, with a participant `p`, that fulfil a condition over `message` and `p`.
fn select_of_all(condition: String) -> Select<message::Entity> {
    let participation: RelationDef = message::Entity::belongs_to(participant::Entity)
        .from(message::Column::ConversationId)
        .to(participant::Column::ConversationId)
        .into();
    message::Entity::find()
        .select_only()
        .join_as(JoinType::InnerJoin, participation, P)
        .filter(Expr::cust(condition))
}

/// The messages of the viewer's conversations that fulfil a condition over `message` and `p`.
pub(super) fn select(viewer: &Viewer, condition: String) -> Select<message::Entity> {
    select_of_all(condition).filter(Expr::col((P, participant::Column::UserId)).eq(viewer.user))
}

/// The condition for a message with a plain notification.
pub(super) fn notifies() -> String {
    format!("{} AND {}", exists("message", P), is_accepted("message", P))
}

/// The condition for a message with an unread plain notification.
pub(super) fn notifies_unread() -> String {
    format!("{} AND {}", notifies(), is_unread("message", P))
}

async fn notifications<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    selected: Select<message::Entity>,
) -> Result<Vec<notification::Model>, Error> {
    let rows: Vec<PlainRow> = selected
        .columns([
            message::Column::Id,
            message::Column::ConversationId,
            message::Column::Seq,
            message::Column::SenderId,
            message::Column::CreatedAt,
        ])
        .expr_as(Expr::cust(read_at("message", P)), "read_at")
        .expr_as(Expr::cust(kind("message", P)), "kind")
        .into_model()
        .all(db)
        .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| row.notification(viewer.user)).collect())
}

/// The viewer's plain notifications with these ids.
pub async fn by_ids<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    ids: impl IntoIterator<Item = NotificationId>,
) -> Result<Vec<notification::Model>, Error> {
    let messages = ids.into_iter().map(|id| message_id(id, viewer.user));
    let messages: Vec<_> = messages.collect();
    if messages.is_empty() {
        return Ok(vec![]);
    }
    let selected = select(viewer, notifies()).filter(message::Column::Id.is_in(messages));
    notifications(db, viewer, selected).await
}

/// The plain notification of a message that was sent just now.
pub async fn added<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    message: MessageId,
) -> Result<Option<notification::Model>, Error> {
    let selected = select(viewer, notifies()).filter(message::Column::Id.eq(message));
    Ok(notifications(db, viewer, selected).await?.pop())
}

/// The plain notifications of these deleted messages that the viewer had, or may have had before dismissing everything
/// since then.
pub async fn removed<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    messages: &[MessageId],
) -> Result<Vec<NotificationId>, Error> {
    let condition = format!(
        "{} AND {} AND ({} OR message.seq < {P}.notified_from_seq)",
        sent_by_others("message", P),
        visible_to("message", P),
        is_accepted("message", P)
    );
    let given = message::Column::Id.is_in(messages.iter().copied());
    ids(db, viewer, select(viewer, condition).filter(given)).await
}

/// The plain notifications that these users have of a message.
pub(in crate::domain::notifications) async fn of_users_in(
    tx: &Tx,
    message: &message::Model,
    users: &BTreeSet<UserId>,
) -> Result<Vec<(UserId, NotificationId)>, Error> {
    if users.is_empty() {
        return Ok(vec![]);
    }
    let user = Expr::col((P, participant::Column::UserId));
    let found: Vec<UserId> = select_of_all(notifies())
        .expr(user.clone())
        .filter(user.is_in(users.iter().copied()))
        .filter(message::Column::Id.eq(message.id))
        .into_tuple()
        .all(tx)
        .await?;
    let found = found.into_iter();
    Ok(found
        .map(|user| (user, notification_id(message.id, user)))
        .collect())
}

/// The plain notifications that are unread, of messages that fulfil a condition over `message`.
pub async fn unread_in(
    tx: &Tx,
    viewer: &Viewer,
    condition: Condition,
) -> Result<Vec<NotificationId>, Error> {
    ids(
        tx,
        viewer,
        select(viewer, notifies_unread()).filter(condition),
    )
    .await
}

/// The ids of the viewer's plain notifications of the selected messages.
async fn ids<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    selected: Select<message::Entity>,
) -> Result<Vec<NotificationId>, Error> {
    let found = selected.column(message::Column::Id).into_tuple();
    let found: Vec<MessageId> = found.all(db).await?;
    let found = found.into_iter();
    Ok(found
        .map(|message| notification_id(message, viewer.user))
        .collect())
}
