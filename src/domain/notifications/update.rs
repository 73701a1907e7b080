//! What becomes of notifications: read, dismissed, or gone with what they were about.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};

use crate::{
    core::Core,
    db::{self, Tx},
    domain::{predicates::unread, sessions::Viewer},
    error::{Error, Problem},
    id::{ConversationId, MessageId, NotificationId, UserId},
    live::log::{self, Change, Stream},
};

/// Most ids in one request.
const IDS_MAX: usize = 200;
/// Most ids in one event.
const IDS_PER_EVENT: usize = 500;

/// Which notifications.
#[derive(Clone, Debug)]
pub enum Selection {
    /// These ones; ids of other people's are passed over.
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

    /// The condition, with the values it binds; none when nothing is selected.
    fn sql(&self) -> Option<(String, Vec<Value>)> {
        match self {
            Self::Ids(ids) if ids.is_empty() => None,
            Self::Ids(ids) => {
                let values = ids.iter().map(|&id| Value::from(id)).collect();
                Some((format!("id IN ({})", db::placeholders(ids.len())), values))
            }
            Self::Until(time) => Some(("created_at <= ?".to_owned(), vec![(*time).into()])),
        }
    }
}

#[derive(FromQueryResult)]
struct Touched {
    id: NotificationId,
}

/// Marks notifications read. Tells how many became read.
pub async fn mark_read(core: &Core, viewer: &Viewer, which: &Selection) -> Result<usize, Error> {
    which.check()?;
    let Some((condition, more)) = &which.sql() else {
        return Ok(0);
    };
    let text = &format!(
        "UPDATE notification SET read_at = ?
         WHERE user_id = ? AND read_at IS NULL AND {condition} RETURNING id"
    );
    let now = core.clock.now();
    let changed = core.db.write(|tx| async move {
        let mut values = vec![now.into(), viewer.user.into()];
        values.extend(more.iter().cloned());
        touch_in(&tx, core, viewer, text, values).await
    });
    Ok(changed.await?.len())
}

/// Removes notifications from the viewer's list. Tells which are gone.
pub async fn dismiss(
    core: &Core,
    viewer: &Viewer,
    which: &Selection,
) -> Result<Vec<NotificationId>, Error> {
    which.check()?;
    let Some((condition, more)) = &which.sql() else {
        return Ok(vec![]);
    };
    let text = &format!("DELETE FROM notification WHERE user_id = ? AND {condition} RETURNING id");
    let gone = core.db.write(|tx| async move {
        let mut values = vec![viewer.user.into()];
        values.extend(more.iter().cloned());
        touch_in(&tx, core, viewer, text, values).await
    });
    gone.await
}

async fn touch_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    text: &str,
    values: Vec<Value>,
) -> Result<Vec<NotificationId>, Error> {
    let rows: Vec<Touched> = db::fetch_all(tx, text, values).await?;
    let ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
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

/// The viewer read something in these conversations: what notified them of messages that are not
/// unread any more becomes read too. The caller writes the events.
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
    let rows: Vec<Touched> = db::fetch_all(tx, &text, values).await?;
    let ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    Ok(changes(&ids))
}

/// A message was deleted: nobody is notified of it any more.
pub async fn forget_message_in(
    tx: &Tx,
    message: MessageId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let text = "DELETE FROM notification WHERE message_id = ? RETURNING id, user_id";
    forget_in(tx, text, vec![message.into()], at).await
}

/// Everything that this person sent to a conversation was deleted: nobody is notified of it any more.
pub async fn forget_sender_in(
    tx: &Tx,
    sender: UserId,
    conversation: ConversationId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let text = "DELETE FROM notification WHERE message_id IN
            (SELECT id FROM message WHERE sender_id = ? AND conversation_id = ?)
        RETURNING id, user_id";
    forget_in(tx, text, vec![sender.into(), conversation.into()], at).await
}

/// These people left a conversation: nothing of it notifies them any more.
pub async fn forget_conversation_in(
    tx: &Tx,
    conversation: ConversationId,
    people: &[UserId],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    if people.is_empty() {
        return Ok(());
    }
    let text = format!(
        "DELETE FROM notification WHERE conversation_id = ? AND user_id IN ({})
         RETURNING id, user_id",
        db::placeholders(people.len())
    );
    let mut values: Vec<Value> = vec![conversation.into()];
    values.extend(people.iter().map(|&user| Value::from(user)));
    forget_in(tx, &text, values, at).await
}

/// The same of a conversation in which nobody takes part any more, once its messages are gone.
pub async fn forget_deleted_in(tx: &Tx, conversation: ConversationId) -> Result<(), Error> {
    let text = "DELETE FROM notification WHERE conversation_id = ? AND message_id IS NULL";
    db::execute(tx, text, [conversation.into()]).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Gone {
    id: NotificationId,
    user_id: UserId,
}

async fn forget_in(
    tx: &Tx,
    text: &str,
    values: Vec<Value>,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let rows: Vec<Gone> = db::fetch_all(tx, text, values).await?;
    let mut gone: BTreeMap<UserId, Vec<NotificationId>> = BTreeMap::new();
    for row in rows {
        gone.entry(row.user_id).or_default().push(row.id);
    }
    let changes = gone.into_iter().map(|(user, ids)| {
        let notifications = Some(ids);
        (user, Change::NotificationsChanged { notifications })
    });
    log::append_each(tx, at, changes.collect()).await
}
