//! Writing notifications: in the transaction that causes them, or for large conversations by
//! background work. One message notifies a person once, for the most specific reason.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    app::App,
    db::{self, Tx},
    domain::reads::unread::UNREAD,
    entity::{message, notification::NotificationType},
    error::Error,
    id::{ConversationId, MessageId, NotificationId, UserId},
    jobs::{self, Work},
    live::log::{self, Change, Stream},
};

/// Most participants that a sender's own transaction notifies.
const AT_ONCE: u64 = 200;
/// People notified by one transaction of background work.
const BATCH: i64 = 500;
/// Rows in one INSERT: seven values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1000;

/// Whether a person wants to hear of anything in a conversation now; binds the time.
const LISTENS: &str =
    "p.notification_level <> 'NONE' AND (p.muted_until IS NULL OR p.muted_until <= ?)";

/// Why a person hears of a message, of `mention n` and `thread_follow f`.
const KIND: &str = "CASE WHEN n.user_id IS NOT NULL THEN 'MENTION'
    WHEN f.user_id IS NOT NULL THEN 'REPLY' ELSE 'MESSAGE' END AS kind";

/// Somebody to notify.
#[derive(Clone, Copy, Debug, FromQueryResult)]
struct Recipient {
    user_id: UserId,
    kind: NotificationType,
}

/// What a notification says besides whom it is for and why.
#[derive(Clone, Copy, Debug)]
struct Cause {
    actor: Option<UserId>,
    message: Option<MessageId>,
    conversation: ConversationId,
}

impl Cause {
    fn message(message: &message::Model) -> Self {
        Self {
            actor: message.sender_id,
            message: Some(message.id),
            conversation: message.conversation_id,
        }
    }
}

/// How the readers of a message hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In the transaction that sends it.
    AtOnce,
    /// By background work, since they are many.
    Later,
}

impl Way {
    /// The way in this conversation.
    pub async fn of(tx: &Tx, conversation: ConversationId) -> Result<Self, Error> {
        let is_large = is_large_in(tx, conversation).await?;
        Ok(if is_large { Self::Later } else { Self::AtOnce })
    }
}

/// A message was sent: notifies its readers, or asks for that to be done. What tells those who are notified at once
/// is for the caller to write, with the events of the message.
pub async fn message_sent_in(
    tx: &Tx,
    app: &App,
    message: &message::Model,
    way: Way,
) -> Result<Option<Change>, Error> {
    let (id, now) = (message.id, app.clock.now());
    match way {
        Way::AtOnce => {
            let readers = readers_in(tx, message, now).await?;
            let to = insert_in(tx, Cause::message(message), &readers, now, Once::Surely).await?;
            Ok(Some(Change::NotificationsAdded { to }))
        }
        Way::Later => {
            let work = Work::NotifyOfMessage { message: id };
            jobs::enqueue_in(tx, &work, now).await?;
            Ok(None)
        }
    }
}

/// A message was edited: people it newly mentions are notified, unless they were told of it before.
pub async fn message_edited_in(tx: &Tx, app: &App, message: &message::Model) -> Result<(), Error> {
    let who = Who {
        only: "AND n.user_id IS NOT NULL",
        ..Who::ALL
    };
    let recipients = recipients_in(tx, app, message.id, who).await?;
    write_in(tx, app, Cause::message(message), &recipients, Once::Perhaps).await
}

/// Notifies the readers of a message in a large conversation, some hundred in each transaction.
/// Repeating it changes nothing, and nobody who has read the message meanwhile hears of it.
pub async fn notify_of_message(app: &App, id: MessageId) -> Result<(), Error> {
    let mut after = Uuid::nil();
    loop {
        let last = app
            .db
            .write(|tx| async move { notify_some_in(&tx, app, id, after).await })
            .await?;
        match last {
            Some(user) => after = user.0,
            None => return Ok(()),
        }
    }
}

/// Notifies the next few; tells who was the last of them.
async fn notify_some_in(
    tx: &Tx,
    app: &App,
    id: MessageId,
    after: Uuid,
) -> Result<Option<UserId>, Error> {
    let text = "SELECT * FROM message WHERE id = ?";
    let Some(message) = db::one::<message::Model, _, _>(tx, text, [id.into()]).await? else {
        return Ok(None);
    };
    let who = Who {
        after,
        limit: BATCH,
        ..Who::ALL
    };
    let recipients = recipients_in(tx, app, id, who).await?;
    write_in(
        tx,
        app,
        Cause::message(&message),
        &recipients,
        Once::Perhaps,
    )
    .await?;
    Ok(recipients.last().map(|recipient| recipient.user_id))
}

/// People were added to a group.
pub async fn added_in(
    tx: &Tx,
    app: &App,
    actor: UserId,
    conversation: ConversationId,
    people: &[UserId],
) -> Result<(), Error> {
    let kind = NotificationType::AddedToConversation;
    tell_in(tx, app, kind, actor, conversation, people).await
}

/// Somebody's role changed.
pub async fn role_changed_in(
    tx: &Tx,
    app: &App,
    actor: UserId,
    conversation: ConversationId,
    person: UserId,
) -> Result<(), Error> {
    let kind = NotificationType::RoleChanged;
    tell_in(tx, app, kind, actor, conversation, &[person]).await
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn is_large_in(tx: &Tx, conversation: ConversationId) -> Result<bool, Error> {
    let text = format!(
        "SELECT COUNT(*) AS count FROM
         (SELECT 1 FROM participant WHERE conversation_id = ? LIMIT {}) AS few",
        AT_ONCE + 1
    );
    let found: Option<Count> = db::one(tx, &text, [conversation.into()]).await?;
    let count = found.map_or(0, |found| found.count);
    Ok(u64::try_from(count).is_ok_and(|count| count > AT_ONCE))
}

/// Which of the people who are to hear of a message.
#[derive(Clone, Copy, Debug)]
struct Who {
    only: &'static str,
    after: Uuid,
    limit: i64,
}

impl Who {
    const ALL: Self = Self {
        only: "",
        after: Uuid::nil(),
        limit: i64::MAX,
    };
}

/// [`recipients_in`] for a message that this transaction sent: whoever takes part and listens, since nobody has read it
/// yet.
async fn readers_in(
    tx: &Tx,
    message: &message::Model,
    now: DateTime<Utc>,
) -> Result<Vec<Recipient>, Error> {
    let text = format!(
        "SELECT p.user_id, {KIND}
         FROM participant p
         LEFT JOIN mention n ON n.message_id = ? AND n.user_id = p.user_id
         LEFT JOIN thread_follow f ON f.thread_id = ? AND f.user_id = p.user_id AND f.is_following
         WHERE p.conversation_id = ? AND p.user_id <> ? AND p.visible_from_seq <= ? AND {LISTENS}
             AND (p.notification_level = 'ALL' OR n.user_id IS NOT NULL
                 OR f.user_id IS NOT NULL OR ? = 'URGENT')"
    );
    let values: [Value; 7] = [
        message.id.into(),
        message.root_id.into(),
        message.conversation_id.into(),
        message.sender_id.into(),
        message.seq.into(),
        now.into(),
        message.priority.into(),
    ];
    db::all(tx, &text, values).await
}

/// Who is to hear of a message, and why: those to whom it is unread, by their level.
async fn recipients_in(
    tx: &Tx,
    app: &App,
    message: MessageId,
    who: Who,
) -> Result<Vec<Recipient>, Error> {
    let only = who.only;
    let text = format!(
        "SELECT p.user_id, {KIND}
         FROM message m JOIN participant p ON p.conversation_id = m.conversation_id
         LEFT JOIN mention n ON n.message_id = m.id AND n.user_id = p.user_id
         LEFT JOIN thread_follow f ON f.thread_id = m.root_id AND f.user_id = p.user_id
             AND f.is_following
         WHERE m.id = ? AND p.user_id > ? AND {LISTENS} AND {UNREAD}
             AND (p.notification_level = 'ALL' OR n.user_id IS NOT NULL
                 OR f.user_id IS NOT NULL OR m.priority = 'URGENT') {only}
         ORDER BY p.user_id LIMIT ?"
    );
    let values: [Value; 4] = [
        message.into(),
        who.after.into(),
        app.clock.now().into(),
        who.limit.into(),
    ];
    db::all(tx, &text, values).await
}

/// Notifies people of something that is not a message, whoever of them listens and did not do it.
async fn tell_in(
    tx: &Tx,
    app: &App,
    kind: NotificationType,
    actor: UserId,
    conversation: ConversationId,
    people: &[UserId],
) -> Result<(), Error> {
    #[derive(FromQueryResult)]
    struct Listener {
        user_id: UserId,
    }
    let mut recipients = vec![];
    for some in people.chunks(ROWS_PER_INSERT) {
        let text = format!(
            "SELECT p.user_id FROM participant p
             WHERE p.conversation_id = ? AND p.user_id <> ? AND {LISTENS}
                 AND p.user_id IN ({})",
            db::marks(some.len())
        );
        let mut values: Vec<Value> =
            vec![conversation.into(), actor.into(), app.clock.now().into()];
        values.extend(some.iter().map(|&user| Value::from(user)));
        let rows: Vec<Listener> = db::all(tx, &text, values).await?;
        recipients.extend(rows.into_iter().map(|row| Recipient {
            user_id: row.user_id,
            kind,
        }));
    }
    let cause = Cause {
        actor: Some(actor),
        message: None,
        conversation,
    };
    write_in(tx, app, cause, &recipients, Once::Surely).await
}

#[derive(FromQueryResult)]
struct Written {
    id: NotificationId,
    user_id: UserId,
}

/// Whether this is the first time that people are notified of something.
#[derive(Clone, Copy, Debug)]
enum Once {
    /// It was caused in this transaction.
    Surely,
    /// Some may have been before: they are left out.
    Perhaps,
}

/// Writes the rows, and the event that tells of those that are new.
async fn write_in(
    tx: &Tx,
    app: &App,
    cause: Cause,
    recipients: &[Recipient],
    once: Once,
) -> Result<(), Error> {
    let now = app.clock.now();
    let to = insert_in(tx, cause, recipients, now, once).await?;
    if to.is_empty() {
        return Ok(());
    }
    let stream = Stream::Conversation(cause.conversation);
    let added = Change::NotificationsAdded { to };
    log::append(tx, stream, now, &[added]).await
}

/// Writes the rows. Tells which are new.
async fn insert_in(
    tx: &Tx,
    cause: Cause,
    recipients: &[Recipient],
    now: DateTime<Utc>,
    once: Once,
) -> Result<BTreeMap<UserId, NotificationId>, Error> {
    let mut to = BTreeMap::new();
    for some in recipients.chunks(ROWS_PER_INSERT) {
        let rows: Vec<(&Recipient, NotificationId)> = some
            .iter()
            .map(|recipient| (recipient, NotificationId::mint()))
            .collect();
        let values = rows.iter().flat_map(|(recipient, id)| -> [Value; 7] {
            [
                (*id).into(),
                recipient.user_id.into(),
                recipient.kind.into(),
                cause.actor.into(),
                cause.message.into(),
                cause.conversation.into(),
                now.into(),
            ]
        });
        let values: Vec<Value> = values.collect();
        let text = format!(
            "INSERT INTO notification
                 (id, user_id, kind, actor_id, message_id, conversation_id, created_at)
             VALUES {}",
            vec!["(?, ?, ?, ?, ?, ?, ?)"; some.len()].join(", ")
        );
        match once {
            Once::Surely => {
                db::run(tx, &text, values).await?;
                to.extend(rows.iter().map(|(recipient, id)| (recipient.user_id, *id)));
            }
            Once::Perhaps => {
                let text = format!(
                    "{text} ON CONFLICT (message_id, user_id) DO NOTHING RETURNING id, user_id"
                );
                let rows: Vec<Written> = db::all(tx, &text, values).await?;
                to.extend(rows.into_iter().map(|row| (row.user_id, row.id)));
            }
        }
    }
    Ok(to)
}
