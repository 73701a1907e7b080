//! Changes to notifications: marked read, dismissed, or removed together with their subject.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, QueryTrait, Value,
    sea_query::Expr,
};

use crate::{
    core::Core,
    db::{self, Tx},
    domain::{predicates::unread, sessions::Viewer},
    entity::{
        message,
        notification::{self, Column},
    },
    error::{Error, Problem},
    id::{ConversationId, MessageId, NotificationId, UserId},
    live::log::{self, Change, Stream},
};

/// Maximum number of ids in one request.
const IDS_MAX: usize = 200;
/// Maximum number of ids in one event.
const IDS_PER_EVENT: usize = 500;

/// A selection of the viewer's notifications.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Those with these ids; ids of other users' notifications are skipped.
    Ids(Vec<NotificationId>),
    /// All created at or before this time.
    Until(DateTime<Utc>),
}

impl Selection {
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Ids(ids) if ids.len() > IDS_MAX => Err(Error::problems(vec![Problem {
                path: ["input", "notifications", "ids"]
                    .map(str::to_owned)
                    .to_vec(),
                code: "TOO_MANY",
                message: format!("Name at most {IDS_MAX}."),
            }])),
            _ => Ok(()),
        }
    }

    /// The condition; none when nothing is selected.
    fn condition(&self) -> Option<Expr> {
        match self {
            Self::Ids(ids) if ids.is_empty() => None,
            Self::Ids(ids) => Some(Column::Id.is_in(ids.iter().copied())),
            Self::Until(time) => Some(Column::CreatedAt.lte(*time)),
        }
    }
}

/// Marks notifications read. Returns how many became read.
pub async fn mark_read(
    core: &Core,
    viewer: &Viewer,
    selection: &Selection,
) -> Result<usize, Error> {
    selection.check()?;
    let Some(condition) = &selection.condition() else {
        return Ok(0);
    };
    let now = core.clock.now();
    core.db
        .write(|tx| async move {
            let changed = notification::Entity::update_many()
                .col_expr(Column::ReadAt, Expr::val(now))
                .filter(Column::UserId.eq(viewer.user))
                .filter(Column::ReadAt.is_null())
                .filter(condition.clone())
                .exec_with_returning(&*tx)
                .await?;
            Ok(announce_in(&tx, core, viewer, &changed).await?.len())
        })
        .await
}

/// Removes notifications from the viewer's list. Returns the ids of the removed ones.
pub async fn dismiss(
    core: &Core,
    viewer: &Viewer,
    selection: &Selection,
) -> Result<Vec<NotificationId>, Error> {
    selection.check()?;
    let Some(condition) = &selection.condition() else {
        return Ok(vec![]);
    };
    core.db
        .write(|tx| async move {
            let removed = notification::Entity::delete_many()
                .filter(Column::UserId.eq(viewer.user))
                .filter(condition.clone())
                .exec_with_returning(&*tx)
                .await?;
            announce_in(&tx, core, viewer, &removed).await
        })
        .await
}

/// Writes the event of changed notifications to the viewer's stream. Returns their ids.
async fn announce_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    rows: &[notification::Model],
) -> Result<Vec<NotificationId>, Error> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let stream = Stream::User(viewer.user);
    log::append(tx, stream, core.clock.now(), &changes(&ids)).await?;
    Ok(ids)
}

fn changes(ids: &[NotificationId]) -> Vec<Change> {
    ids.chunks(IDS_PER_EVENT)
        .map(|some| Change::NotificationsChanged {
            notifications: Some(some.to_vec()),
        })
        .collect()
}

/// Marks the viewer's notifications of messages in these conversations as read, if the messages are not unread any
/// more. Returns the changes for the caller to append. SQL, because it applies the predicate for unread messages.
pub async fn read_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<Vec<Change>, Error> {
    let text = format!(
        "UPDATE notification SET read_at = ?
         WHERE user_id = ? AND read_at IS NULL AND message_id IS NOT NULL
             AND conversation_id IN ({})
             AND NOT EXISTS (SELECT 1 FROM message m
                 JOIN participant p ON p.conversation_id = m.conversation_id
                     AND p.user_id = notification.user_id
                 WHERE m.id = notification.message_id AND {})
         RETURNING id",
        db::placeholders(conversations.len()),
        unread("m", "p")
    );
    let mut values: Vec<Value> = vec![core.clock.now().into(), viewer.user.into()];
    values.extend(conversations.iter().map(|&id| Value::from(id)));
    let ids: Vec<_> = db::fetch_tuples(tx, &text, values).await?;
    Ok(changes(&ids))
}

/// Removes the notifications of a deleted message.
pub async fn forget_message_in(
    tx: &Tx,
    message: MessageId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    forget_in(tx, Column::MessageId.eq(message), at).await?;
    Ok(())
}

/// Removes the notifications of all messages that a user has sent to a conversation.
pub async fn forget_sender_in(
    tx: &Tx,
    sender: UserId,
    conversation: ConversationId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let sent = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::SenderId.eq(sender))
        .filter(message::Column::ConversationId.eq(conversation))
        .into_query();
    forget_in(tx, Column::MessageId.in_subquery(sent), at).await?;
    Ok(())
}

/// Removes the notifications of a conversation from users who have left it.
pub async fn forget_conversation_in(
    tx: &Tx,
    conversation: ConversationId,
    users: &[UserId],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    let condition = Column::ConversationId
        .eq(conversation)
        .and(Column::UserId.is_in(users.iter().copied()));
    forget_in(tx, condition, at).await?;
    Ok(())
}

/// Removes the notifications of a conversation without participants and without messages.
pub async fn forget_deleted_in(tx: &Tx, conversation: ConversationId) -> Result<(), Error> {
    notification::Entity::delete_many()
        .filter(Column::ConversationId.eq(conversation))
        .filter(Column::MessageId.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes the notifications that match a condition, and returns their number.
pub(super) async fn forget_in(tx: &Tx, condition: Expr, at: DateTime<Utc>) -> Result<u64, Error> {
    let rows = notification::Entity::delete_many()
        .filter(condition)
        .exec_with_returning(tx)
        .await?;
    let count = u64::try_from(rows.len()).map_err(Error::internal)?;
    let mut removed: BTreeMap<UserId, Vec<NotificationId>> = BTreeMap::new();
    for row in rows {
        removed.entry(row.user_id).or_default().push(row.id);
    }
    let changes = removed.into_iter().map(|(user, ids)| {
        let notifications = Some(ids);
        (user, Change::NotificationsChanged { notifications })
    });
    log::append_each(tx, at, changes.collect()).await?;
    Ok(count)
}
