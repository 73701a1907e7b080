//! Writing notifications: in the transaction that causes them, or for large conversations by
//! background work. One message notifies a person once, for the most specific reason.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    app::App,
    db::{self, Table, Tx},
    domain::reads::unread::UNREAD,
    entity::{message, notification::NotificationType},
    error::Error,
    id::{self, ConversationId, MessageId, NotificationId, UserId},
    jobs::{self, Work},
    live::log::{self, Change, Stream},
};

/// People notified by one transaction of background work.
const BATCH: i64 = 500;
/// Rows in one INSERT: seven values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1000;

/// Whether a person wants to hear of anything in a conversation now; binds the time.
const LISTENS: &str =
    "p.notification_level <> 'NONE' AND (p.muted_until IS NULL OR p.muted_until <= ?)";

/// Whether `message m` mentions `participant p`. These are values and not joins: PostgreSQL would read all threads that
/// somebody follows to find one.
const MENTIONED: &str = "(SELECT n.user_id FROM mention n
    WHERE n.message_id = m.id AND n.user_id = p.user_id) IS NOT NULL";

/// Whether `participant p` follows the thread of `message m`.
const FOLLOWS: &str = "(SELECT f.is_following FROM thread_follow f
    WHERE f.user_id = p.user_id AND f.thread_id = m.root_id)";

/// Why `participant p`, who `follows` the thread, hears of `message m`.
fn kind(follows: &str) -> String {
    format!(
        "CASE WHEN {MENTIONED} THEN 'MENTION'
             WHEN {follows} THEN 'REPLY' ELSE 'MESSAGE' END AS kind"
    )
}

/// Whether `participant p`, who `follows` the thread, is to hear of `message m`.
fn wants(follows: &str) -> String {
    format!(
        "p.conversation_id = m.conversation_id AND (p.notification_level = 'ALL'
             OR m.priority = 'URGENT' OR {MENTIONED} OR {follows})"
    )
}

/// Somebody to notify.
#[derive(Clone, Copy, Debug, FromQueryResult)]
struct Recipient {
    user_id: UserId,
    kind: NotificationType,
}

/// What a notification says besides whom it is for and why.
#[derive(Clone, Copy, Debug)]
struct Cause {
    /// Who did it, unless a message tells.
    actor: Option<UserId>,
    message: Option<MessageId>,
    conversation: ConversationId,
}

impl Cause {
    fn message(message: &message::Model) -> Self {
        Self {
            actor: None,
            message: Some(message.id),
            conversation: message.conversation_id,
        }
    }
}

/// Whom a message notifies.
pub(super) type Notified = BTreeMap<UserId, NotificationId>;

/// Messages were sent: notifies the readers of each. What tells of it is for the caller to write, with the other events
/// of the messages. `early` names those who follow a message's thread, but do so since a later one of these.
pub async fn messages_sent_in(
    tx: &Tx,
    messages: &[MessageId],
    early: &[(MessageId, UserId)],
    now: DateTime<Utc>,
) -> Result<HashMap<MessageId, Notified>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        id: NotificationId,
        message_id: MessageId,
        user_id: UserId,
    }
    let mut notified = HashMap::new();
    if messages.is_empty() {
        return Ok(notified);
    }
    let mut sent = Table::new("v (id)", messages.iter().map(|&id| [id.into()]));
    let mut follows = FOLLOWS.to_owned();
    if !early.is_empty() {
        let rows = early.iter().map(|&(id, user)| [id.into(), user.into()]);
        sent = sent.with(Table::new("early (message_id, user_id)", rows));
        follows.push_str(
            " AND NOT EXISTS (SELECT 1 FROM early e
                WHERE e.message_id = m.id AND e.user_id = p.user_id)",
        );
    }
    let (kind, wants) = (kind(&follows), wants(&follows));
    let id = id::minted_in(tx.get_database_backend());
    let text = format!(
        "WITH {} INSERT INTO notification
             (id, user_id, kind, message_id, conversation_id, created_at)
         SELECT {id}, p.user_id, {kind}, m.id, m.conversation_id, ?
         FROM v CROSS JOIN message m CROSS JOIN participant p
         WHERE m.id = v.id AND p.user_id <> m.sender_id AND p.visible_from_seq <= m.seq
             AND {LISTENS} AND {wants}
         RETURNING id, message_id, user_id",
        sent.text
    );
    let values = sent.and([id::stem().into(), now.into(), now.into()]);
    let rows: Vec<Row> = db::all(tx, &text, values).await?;
    for row in rows {
        let to: &mut Notified = notified.entry(row.message_id).or_default();
        to.insert(row.user_id, row.id);
    }
    Ok(notified)
}

/// The same for messages whose readers are many: asks for it to be done.
pub async fn messages_sent_to_crowds_in(
    tx: &Tx,
    messages: &[MessageId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let work = |&message: &MessageId| Work::NotifyOfMessage { message };
    let work: Vec<_> = messages.iter().map(work).collect();
    jobs::enqueue_all_in(tx, &work, now).await
}

/// A message was edited: people it newly mentions are notified, unless they were told of it before.
pub async fn message_edited_in(tx: &Tx, app: &App, message: &message::Model) -> Result<(), Error> {
    let only = &format!("AND {MENTIONED}");
    let who = Who { only, ..Who::ALL };
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

/// Which of the people who are to hear of a message.
#[derive(Clone, Copy, Debug)]
struct Who<'a> {
    only: &'a str,
    after: Uuid,
    limit: i64,
}

impl Who<'_> {
    const ALL: Self = Self {
        only: "",
        after: Uuid::nil(),
        limit: i64::MAX,
    };
}

/// Who is to hear of a message, and why: those to whom it is unread, by their level.
async fn recipients_in(
    tx: &Tx,
    app: &App,
    message: MessageId,
    who: Who<'_>,
) -> Result<Vec<Recipient>, Error> {
    let (only, kind, wants) = (who.only, kind(FOLLOWS), wants(FOLLOWS));
    let text = format!(
        "SELECT p.user_id, {kind} FROM message m CROSS JOIN participant p
         WHERE m.id = ? AND p.user_id > ? AND {LISTENS} AND {wants} AND {UNREAD} {only}
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
