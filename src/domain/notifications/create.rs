//! Creates notifications: in the transaction that causes them, or for large conversations in background work. One
//! message notifies a user once, for the most specific reason. The inserts are SQL, because they select their
//! recipients.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Value, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{
        notifications::update::forget_in,
        predicates::{listens, unread, visible_to},
    },
    entity::{
        message,
        notification::{Column, NotificationType},
        participant,
    },
    error::Error,
    id::{self, ConversationId, MessageId, NotificationId, UserId},
    jobs::{self, Job},
    live::log::{self, Change, Stream},
};

/// Users notified by one transaction of background work.
const BATCH: u64 = 500;
/// Users in one statement: SQLite binds at most 32,766 values.
const USERS_PER_STATEMENT: usize = 1000;

/// Whether message `m` mentions participant `p`. This and [`FOLLOWS`] are scalar subqueries and not joins: PostgreSQL
/// would read all threads that a user follows to find one.
const MENTIONED: &str = "(SELECT n.user_id FROM mention n
    WHERE n.message_id = m.id AND n.user_id = p.user_id) IS NOT NULL";

/// Whether participant `p` follows the thread of message `m`.
const FOLLOWS: &str = "(SELECT f.is_following FROM thread_follow f
    WHERE f.user_id = p.user_id AND f.thread_id = m.root_id)";

/// The reason to notify participant `p` of message `m`; `follows` is the condition for following the thread.
fn kind(follows: &str) -> String {
    format!(
        "CASE WHEN {MENTIONED} THEN 'MENTION'
             WHEN {follows} THEN 'REPLY' ELSE 'MESSAGE' END AS kind"
    )
}

/// Whether to notify participant `p` of message `m`; `follows` is the condition for following the thread.
fn wants(follows: &str) -> String {
    format!(
        "p.conversation_id = m.conversation_id AND (p.notification_level = 'ALL'
             OR m.priority = 'URGENT' OR {MENTIONED} OR {follows})"
    )
}

/// The users whom a message notifies, with their notifications.
pub(super) type Notified = BTreeMap<UserId, NotificationId>;

/// Notifies the readers of each of these new messages. The caller writes the events. `later_followers` are the users
/// who follow a message's thread only since a later message of the batch.
pub async fn messages_sent_in(
    tx: &Tx,
    messages: &[MessageId],
    later_followers: &[(MessageId, UserId)],
    now: DateTime<Utc>,
) -> Result<HashMap<MessageId, Notified>, Error> {
    if messages.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sent = ValuesCte::new("v (id)", messages.iter().map(|&id| [id.into()]));
    let mut follows = FOLLOWS.to_owned();
    if !later_followers.is_empty() {
        let rows = later_followers
            .iter()
            .map(|&(id, user)| [id.into(), user.into()]);
        sent = sent.with(ValuesCte::new("early (message_id, user_id)", rows));
        follows.push_str(
            " AND NOT EXISTS (SELECT 1 FROM early e
                WHERE e.message_id = m.id AND e.user_id = p.user_id)",
        );
    }
    // No user has read the message or was notified of it before.
    let whom = format!("p.user_id <> m.sender_id AND {}", visible_to("m", "p"));
    insert_in(tx, now, sent, &follows, (&whom, vec![])).await
}

/// Enqueues the notifications of new messages in large conversations.
pub async fn messages_sent_to_large_in(
    tx: &Tx,
    messages: &[MessageId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let work = |&message: &MessageId| Job::NotifyOfMessage { message };
    let work: Vec<_> = messages.iter().map(work).collect();
    jobs::enqueue_all_in(tx, &work, now).await
}

/// Removes the notifications of mentions that an edit removed from a message, and notifies the users that it added, also
/// those who have read the message or were notified of it before.
pub async fn message_edited_in(
    tx: &Tx,
    core: &Core,
    message: &message::Model,
    removed: &BTreeSet<UserId>,
    added: &BTreeSet<UserId>,
) -> Result<(), Error> {
    let now = core.clock.now();
    let among = |users: &BTreeSet<UserId>| {
        let some = format!("p.user_id IN ({})", db::placeholders(users.len()));
        let values: Vec<Value> = users.iter().map(|&user| user.into()).collect();
        (some, values)
    };
    if !removed.is_empty() {
        let mentions = Column::MessageId
            .eq(message.id)
            .and(Column::Kind.eq(NotificationType::Mention))
            .and(Column::UserId.is_in(removed.iter().copied()));
        forget_in(tx, mentions, now).await?;
        // Those who are notified of each message still are.
        let (some, values) = among(removed);
        notify_message_in(tx, now, message, (&some, values)).await?;
    }
    if added.is_empty() {
        return Ok(());
    }
    // A user is notified once of a message, and clients know the earlier notification by its id. Who accepts none now
    // keeps it.
    let condition = db::number_placeholders(tx.get_database_backend(), &listens("participant"));
    let accepts_notifications = Expr::cust_with_values(condition, [now]);
    let listening = participant::Entity::find()
        .select_only()
        .column(participant::Column::UserId)
        .filter(participant::Column::ConversationId.eq(message.conversation_id))
        .filter(participant::Column::UserId.is_in(added.iter().copied()))
        .filter(accepts_notifications);
    let earlier = Column::MessageId
        .eq(message.id)
        .and(Column::UserId.in_subquery(listening.into_query()));
    forget_in(tx, earlier, now).await?;
    let (some, values) = among(added);
    let sent = ValuesCte::new("v (id)", [[message.id.into()]]);
    let whom = format!(
        "{some} AND p.user_id <> m.sender_id AND {}
             ON CONFLICT (message_id, user_id) DO NOTHING",
        visible_to("m", "p")
    );
    let mut notified = insert_in(tx, now, sent, FOLLOWS, (&whom, values)).await?;
    let to = notified.remove(&message.id).unwrap_or_default();
    added_to_in(tx, now, message.conversation_id, to).await
}

/// Notifies the readers of a message in a large conversation, [`BATCH`] in each transaction. Repeating it changes
/// nothing, and users who have read the message in the meantime are not notified.
pub async fn notify_of_message(core: &Core, id: MessageId) -> Result<(), Error> {
    let mut after = Some(UserId(Uuid::nil()));
    while let Some(person) = after {
        after = core
            .db
            .write(|tx| async move { notify_some_in(&tx, core, id, person).await })
            .await?;
    }
    Ok(())
}

/// Notifies the next batch of participants. Returns the last of them, or `None` when no more are left.
async fn notify_some_in(
    tx: &Tx,
    core: &Core,
    id: MessageId,
    after: UserId,
) -> Result<Option<UserId>, Error> {
    let Some(message) = message::Entity::find_by_id(id).one(tx).await? else {
        return Ok(None);
    };
    let last: Option<UserId> = participant::Entity::find()
        .select_only()
        .column(participant::Column::UserId)
        .filter(participant::Column::ConversationId.eq(message.conversation_id))
        .filter(participant::Column::UserId.gt(after))
        .order_by_asc(participant::Column::UserId)
        .offset(BATCH - 1)
        .into_tuple()
        .one(tx)
        .await?;
    let until = last.unwrap_or(UserId(Uuid::max()));
    // The conversation is bound by its id, or PostgreSQL would read the memberships of these users everywhere.
    let some = "p.conversation_id = ? AND p.user_id > ? AND p.user_id <= ?";
    let place = message.conversation_id.into();
    let some = (some, vec![place, after.into(), until.into()]);
    notify_message_in(tx, core.clock.now(), &message, some).await?;
    Ok(last)
}

/// Notifies the selected participants to whom a message is unread and who were not notified of it before, and appends
/// the event.
async fn notify_message_in(
    tx: &Tx,
    now: DateTime<Utc>,
    message: &message::Model,
    (some, values): (&str, Vec<Value>),
) -> Result<(), Error> {
    let sent = ValuesCte::new("v (id)", [[message.id.into()]]);
    // IS TRUE keeps the condition a value: see [`MENTIONED`].
    let is_unread = format!("({}) IS TRUE", unread("m", "p"));
    let whom = format!("{some} AND {is_unread} ON CONFLICT (message_id, user_id) DO NOTHING");
    let mut notified = insert_in(tx, now, sent, FOLLOWS, (&whom, values)).await?;
    let to = notified.remove(&message.id).unwrap_or_default();
    added_to_in(tx, now, message.conversation_id, to).await
}

/// Notifies the participants that messages are relevant to. `sent` has a column of message ids `v.id`; `whom` is a
/// condition on participant `p`, with its values.
async fn insert_in(
    tx: &Tx,
    now: DateTime<Utc>,
    sent: ValuesCte,
    follows: &str,
    (whom, values): (&str, Vec<Value>),
) -> Result<HashMap<MessageId, Notified>, Error> {
    let (kind, wants) = (kind(follows), wants(follows));
    let id = id::mint_sql(tx.get_database_backend());
    let text = format!(
        "WITH {} INSERT INTO notification
             (id, user_id, kind, message_id, conversation_id, created_at)
         SELECT {id}, p.user_id, {kind}, m.id, m.conversation_id, ?
         FROM v CROSS JOIN message m CROSS JOIN participant p
         WHERE m.id = v.id AND {} AND {wants} AND {whom}
         RETURNING id, message_id, user_id",
        sent.text,
        listens("p")
    );
    let values = [id::sql_prefix().into(), now.into(), now.into()]
        .into_iter()
        .chain(values);
    let rows: Vec<_> = db::fetch_tuples(tx, &text, sent.and(values)).await?;
    let mut notified: HashMap<MessageId, Notified> = HashMap::new();
    for (id, message, user) in rows {
        notified.entry(message).or_default().insert(user, id);
    }
    Ok(notified)
}

/// Notifies users who were added to a group.
pub async fn added_in(
    tx: &Tx,
    core: &Core,
    actor: UserId,
    conversation: ConversationId,
    people: &[UserId],
) -> Result<(), Error> {
    let kind = NotificationType::AddedToConversation;
    notify_in(tx, core, kind, actor, conversation, people).await
}

/// Notifies a user whose role changed.
pub async fn role_changed_in(
    tx: &Tx,
    core: &Core,
    actor: UserId,
    conversation: ConversationId,
    person: UserId,
) -> Result<(), Error> {
    let kind = NotificationType::RoleChanged;
    notify_in(tx, core, kind, actor, conversation, &[person]).await
}

/// Notifies users of a change that is not a message, except the actor and those who accept no notifications.
async fn notify_in(
    tx: &Tx,
    core: &Core,
    kind: NotificationType,
    actor: UserId,
    conversation: ConversationId,
    people: &[UserId],
) -> Result<(), Error> {
    let now = core.clock.now();
    let id = id::mint_sql(tx.get_database_backend());
    let mut to = Notified::new();
    for some in people.chunks(USERS_PER_STATEMENT) {
        let text = format!(
            "INSERT INTO notification (id, user_id, kind, actor_id, conversation_id, created_at)
             SELECT {id}, p.user_id, ?, ?, p.conversation_id, ? FROM participant p
             WHERE p.conversation_id = ? AND p.user_id <> ? AND {}
                 AND p.user_id IN ({})
             RETURNING id, user_id",
            listens("p"),
            db::placeholders(some.len())
        );
        let mut values: Vec<Value> = vec![
            id::sql_prefix().into(),
            kind.into(),
            actor.into(),
            now.into(),
            conversation.into(),
            actor.into(),
            now.into(),
        ];
        values.extend(some.iter().map(|&user| Value::from(user)));
        let rows: Vec<(NotificationId, UserId)> = db::fetch_tuples(tx, &text, values).await?;
        to.extend(rows.into_iter().map(|(id, user)| (user, id)));
    }
    added_to_in(tx, now, conversation, to).await
}

/// Appends the event of new notifications.
async fn added_to_in(
    tx: &Tx,
    now: DateTime<Utc>,
    conversation: ConversationId,
    to: Notified,
) -> Result<(), Error> {
    if to.is_empty() {
        return Ok(());
    }
    let added = Change::NotificationsAdded { to };
    log::append(tx, Stream::Conversation(conversation), now, &[added]).await
}
