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
    domain::{
        notifications::{NotificationPosition, plain},
        predicates::unread,
        sessions::Viewer,
    },
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
/// Maximum number of notifications of plain messages whose ids one request lists. If more change, the event has no ids.
const LISTED_MAX: usize = 10_000;

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
    core.db
        .write(|tx| async move {
            let now = core.clock.now();
            let stored = notification::Entity::update_many()
                .col_expr(Column::ReadAt, Expr::val(now))
                .filter(Column::UserId.eq(viewer.user))
                .filter(Column::ReadAt.is_null())
                .filter(condition.clone())
                .exec_with_returning(&*tx)
                .await?;
            let mut ids: Vec<_> = stored.iter().map(|row| row.id).collect();
            let mut others = 0;
            match selection {
                Selection::Ids(all) => {
                    let messages = plain_messages(viewer, all, &ids);
                    let kind = plain::MarkKind::Read;
                    ids.extend(plain::mark_in(&tx, viewer, &messages, kind, now).await?);
                }
                Selection::Until(until) => {
                    let found = plain::unread_until_in(&tx, viewer, *until).await?;
                    let count: i64 = found.iter().map(|one| one.count).sum();
                    others = usize::try_from(count).map_err(Error::internal)?;
                    if others > 0 && others <= LISTED_MAX {
                        let after = Some(NotificationPosition::until(*until));
                        let listed = list_unread(&tx, viewer, after, others).await?;
                        ids.extend(listed);
                        others = 0;
                    }
                    plain::mark_until_in(&tx, &found).await?;
                }
            }
            announce_in(&tx, core, viewer, (&ids, others > 0)).await?;
            Ok(ids.len() + others)
        })
        .await
}

/// Removes notifications from the viewer's list. Returns the ids of the removed ones, at most the newest
/// [`LISTED_MAX`] of plain messages.
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
            let now = core.clock.now();
            let mut are_more = false;
            let mut listed = vec![];
            if let Selection::Until(until) = selection {
                let after = Some(NotificationPosition::until(*until));
                let limit = u64::try_from(LISTED_MAX).map_err(Error::internal)? + 1;
                let page = plain::PlainPage {
                    unread_only: false,
                    includes_stored: false,
                    after,
                    limit,
                };
                let rows = plain::list(&*tx, viewer, &page).await?;
                are_more = rows.len() > LISTED_MAX;
                listed.extend(rows.iter().take(LISTED_MAX).map(|one| one.row.id));
                plain::dismiss_until_in(&tx, viewer, *until).await?;
            }
            let stored = notification::Entity::delete_many()
                .filter(Column::UserId.eq(viewer.user))
                .filter(condition.clone())
                .exec_with_returning(&*tx)
                .await?;
            plain::dismiss_stored_in(&tx, viewer, &stored, now).await?;
            let mut ids: Vec<_> = stored.iter().map(|row| row.id).collect();
            if let Selection::Ids(all) = selection {
                let messages = plain_messages(viewer, all, &ids);
                let kind = plain::MarkKind::Dismissed;
                listed.extend(plain::mark_in(&tx, viewer, &messages, kind, now).await?);
            }
            ids.extend(listed);
            announce_in(&tx, core, viewer, (&ids, are_more)).await?;
            Ok(ids)
        })
        .await
}

/// The messages of these notifications that are plain: the others are stored, and have been changed.
fn plain_messages(
    viewer: &Viewer,
    ids: &[NotificationId],
    stored: &[NotificationId],
) -> Vec<MessageId> {
    let others = ids.iter().filter(|id| !stored.contains(id));
    others
        .map(|&id| plain::message_id(id, viewer.user))
        .collect()
}

async fn list_unread(
    tx: &Tx,
    viewer: &Viewer,
    after: Option<NotificationPosition>,
    count: usize,
) -> Result<Vec<NotificationId>, Error> {
    let page = plain::PlainPage {
        unread_only: true,
        includes_stored: false,
        after,
        limit: u64::try_from(count).map_err(Error::internal)?,
    };
    let rows = plain::list(tx, viewer, &page).await?;
    Ok(rows.iter().map(|one| one.row.id).collect())
}

/// Writes the event of changed notifications to the viewer's stream: of these, or of all when there are more.
async fn announce_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    (ids, are_more): (&[NotificationId], bool),
) -> Result<(), Error> {
    let all = vec![Change::NotificationsChanged {
        notifications: None,
    }];
    let changes = if are_more { all } else { changes(ids) };
    log::append(tx, Stream::User(viewer.user), core.clock.now(), &changes).await
}

/// The events of these changed notifications.
#[must_use]
pub fn changes(ids: &[NotificationId]) -> Vec<Change> {
    ids.chunks(IDS_PER_EVENT)
        .map(|some| Change::NotificationsChanged {
            notifications: Some(some.to_vec()),
        })
        .collect()
}

/// Marks the viewer's stored notifications of messages in these conversations as read, if the messages are not unread any
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

/// Removes the stored notifications of a deleted message. The caller appends the event of the plain ones.
pub async fn forget_message_in(
    tx: &Tx,
    message: MessageId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    forget_in(tx, Column::MessageId.eq(message), at).await?;
    Ok(())
}

/// Removes the stored notifications of all messages that a user has sent to a conversation. The caller appends the event
/// of the plain ones.
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

/// Removes the notifications of a conversation from users who have left it. Each receives an event, also without stored
/// notifications, because the number of unread ones changes.
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
    let mut removed = delete_in(tx, condition).await?;
    for user in users {
        removed.entry(*user).or_default();
    }
    log::append_each(tx, at, removals(removed)).await
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
    let removed = delete_in(tx, condition).await?;
    let count = removed.values().map(Vec::len).sum::<usize>();
    log::append_each(tx, at, removals(removed)).await?;
    u64::try_from(count).map_err(Error::internal)
}

/// The stored notifications of each user.
type Stored = BTreeMap<UserId, Vec<NotificationId>>;

async fn delete_in(tx: &Tx, condition: Expr) -> Result<Stored, Error> {
    let rows = notification::Entity::delete_many()
        .filter(condition)
        .exec_with_returning(tx)
        .await?;
    let mut removed = Stored::new();
    for row in rows {
        removed.entry(row.user_id).or_default().push(row.id);
    }
    Ok(removed)
}

fn removals(removed: Stored) -> Vec<(UserId, Change)> {
    let change = |(user, ids)| {
        let notifications = Some(ids);
        (user, Change::NotificationsChanged { notifications })
    };
    removed.into_iter().map(change).collect()
}
