//! Creates the notifications that are stored, in the transaction that causes them. One message notifies a user once, for
//! the most specific reason. The inserts are SQL, because they select their recipients.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Value,
    sea_query::Expr,
};

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{
        notifications::{plain, update::forget_in},
        predicates::{blocked_with, listens, visible_to},
    },
    entity::{
        message,
        notification::{self, Column, NotificationType},
        participant,
    },
    error::Error,
    id::{self, ConversationId, MessageId, NotificationId, UserId},
    live::log::{self, Change, Stream},
};

/// Users in one statement: SQLite binds at most 32,766 values.
const USERS_PER_STATEMENT: usize = 1000;

/// The users whom a message notifies, with their notifications.
type Notified = BTreeMap<UserId, NotificationId>;

/// Notifies the users whom these new messages mention. Returns the notifications for the events, which the caller writes.
pub async fn messages_sent_in(
    tx: &Tx,
    mentioning: &[MessageId],
    now: DateTime<Utc>,
) -> Result<HashMap<MessageId, Notified>, Error> {
    if mentioning.is_empty() {
        return Ok(HashMap::new());
    }
    insert_in(tx, now, mentioning, None).await
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
    if !removed.is_empty() {
        let mentions = Column::MessageId
            .eq(message.id)
            .and(Column::Kind.eq(NotificationType::Mention))
            .and(Column::UserId.is_in(removed.iter().copied()));
        let notified: Vec<UserId> = notification::Entity::find()
            .select_only()
            .column(Column::UserId)
            .filter(mentions.clone())
            .into_tuple()
            .all(tx)
            .await?;
        forget_in(tx, mentions, now).await?;
        // Those who are notified of each message or reply still are.
        let notified: BTreeSet<UserId> = notified.into_iter().collect();
        let to = plain::of_users_in(tx, message, &notified).await?;
        added_to_in(tx, now, message.conversation_id, to.into_iter().collect()).await?;
    }
    if added.is_empty() {
        return Ok(());
    }
    // A user is notified once of a message, and clients know the earlier notification by its id. Who accepts none now
    // keeps it.
    let condition = db::number_placeholders(tx.get_database_backend(), &listens("participant"));
    let accepts_notifications = Expr::cust_with_values(condition, [now]);
    let listening: Vec<UserId> = participant::Entity::find()
        .select_only()
        .column(participant::Column::UserId)
        .filter(participant::Column::ConversationId.eq(message.conversation_id))
        .filter(participant::Column::UserId.is_in(added.iter().copied()))
        .filter(accepts_notifications)
        .into_tuple()
        .all(tx)
        .await?;
    let listening: BTreeSet<UserId> = listening.into_iter().collect();
    if listening.is_empty() {
        return Ok(());
    }
    let earlier = Column::MessageId
        .eq(message.id)
        .and(Column::UserId.is_in(listening.iter().copied()));
    forget_in(tx, earlier, now).await?;
    let replaced = plain::of_users_in(tx, message, &listening).await?;
    let replaced = replaced.into_iter().map(|(user, id)| {
        let notifications = Some(vec![id]);
        (user, Change::NotificationsChanged { notifications })
    });
    log::append_each(tx, now, replaced.collect()).await?;
    let mut notified = insert_in(tx, now, &[message.id], Some(&listening)).await?;
    let to = notified.remove(&message.id).unwrap_or_default();
    added_to_in(tx, now, message.conversation_id, to).await
}

/// Notifies the users whom these messages mention, except those who sent the message, do not see it, accept no
/// notifications, or were notified of it before. With `edited`, only these users, and at this time.
async fn insert_in(
    tx: &Tx,
    now: DateTime<Utc>,
    messages: &[MessageId],
    edited: Option<&BTreeSet<UserId>>,
) -> Result<HashMap<MessageId, Notified>, Error> {
    let table = ValuesCte::new("v (id)", messages.iter().map(|&id| [id.into()]));
    let mut bound = table.values;
    bound.push(id::sql_prefix().into());
    let (mut at, mut only) = ("m.created_at", String::new());
    if let Some(users) = edited {
        at = "?";
        only = format!("AND n.user_id IN ({})", db::placeholders(users.len()));
        bound.push(now.into());
    }
    bound.push(now.into());
    bound.extend(edited.into_iter().flatten().map(|&user| Value::from(user)));
    let text = format!(
        "WITH {} INSERT INTO notification (id, user_id, kind, message_id, conversation_id, created_at)
         SELECT {}, p.user_id, 'MENTION', m.id, m.conversation_id, {at}
         FROM v CROSS JOIN mention n CROSS JOIN message m CROSS JOIN participant p
         WHERE n.message_id = v.id AND m.id = v.id AND p.conversation_id = m.conversation_id
             AND p.user_id = n.user_id AND p.user_id <> m.sender_id AND {} AND {} {only}
         ON CONFLICT (message_id, user_id) DO NOTHING
         RETURNING id, message_id, user_id",
        table.text,
        id::mint_sql(tx.get_database_backend()),
        visible_to("m", "p"),
        listens("p")
    );
    let rows: Vec<_> = db::fetch_tuples(tx, &text, bound).await?;
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

/// Notifies users of a change that is not a message, except the actor, those who have a block with the actor, and those who
/// accept no notifications.
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
                 AND p.user_id NOT IN {} AND p.user_id IN ({})
             RETURNING id, user_id",
            listens("p"),
            blocked_with("?"),
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
            actor.into(),
            actor.into(),
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
    let added = Change::NotificationsAdded { to, message: None };
    log::append(tx, Stream::Conversation(conversation), now, &[added]).await
}
