//! Creates the notifications that are stored: in the transaction that causes them, or for the followers of large threads
//! in background work. One message notifies a user once, for the most specific reason. The inserts are SQL, because they
//! select their recipients.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    Value, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{
        notifications::{plain, update::forget_in},
        predicates::{listens, unread, visible_to},
    },
    entity::{
        message,
        notification::{self, Column, NotificationType},
        participant, thread_follow,
    },
    error::Error,
    id::{self, ConversationId, MessageId, NotificationId, ThreadId, UserId},
    jobs::{self, Job},
    live::log::{self, Change, Stream},
};

/// Users notified by one transaction of background work. It holds the writer for a few milliseconds, and messages that
/// wait overtake the next one.
const BATCH: u64 = 100;
/// Followers above which a thread is large: background work notifies them of a reply.
const LARGE_THREAD: u64 = 200;
/// Users in one statement: SQLite binds at most 32,766 values.
const USERS_PER_STATEMENT: usize = 1000;

/// The users whom a message notifies, with their notifications.
pub(super) type Notified = BTreeMap<UserId, NotificationId>;

/// A reply that was sent.
#[derive(Clone, Copy, Debug)]
pub struct SentReply {
    /// Its id.
    pub message: MessageId,
    /// Its thread.
    pub thread: ThreadId,
    /// The number of participants of its conversation.
    pub participant_count: i32,
}

/// Messages that were sent together.
#[derive(Clone, Copy, Debug)]
pub struct SentBatch<'a> {
    /// Those that mention users.
    pub mentioning: &'a [MessageId],
    /// The replies.
    pub replies: &'a [SentReply],
    /// The users who follow a message's thread only since a later message.
    pub later_followers: &'a [(MessageId, UserId)],
}

/// Who was notified of messages that were sent together.
#[derive(Debug, Default)]
pub struct NotifiedBatch {
    /// The notifications of the users whom each message names.
    pub named: HashMap<MessageId, Notified>,
    /// The threads whose followers are notified by background work.
    pub large: HashSet<ThreadId>,
}

/// Notifies the users whom these new messages name, and those who follow their threads. The caller writes the events.
pub async fn messages_sent_in(
    tx: &Tx,
    sent: SentBatch<'_>,
    now: DateTime<Utc>,
) -> Result<NotifiedBatch, Error> {
    let large = large_threads_in(tx, sent.replies).await?;
    let (later, replies): (Vec<&SentReply>, Vec<_>) = sent
        .replies
        .iter()
        .partition(|reply| large.contains(&reply.thread));
    let work = later.iter().map(|reply| Job::NotifyOfMessage {
        message: reply.message,
    });
    jobs::enqueue_all_in(tx, &work.collect::<Vec<_>>(), now).await?;
    let mut tables = vec![];
    let mut named = vec![];
    if !sent.mentioning.is_empty() {
        let rows = sent.mentioning.iter().map(|&id| [id.into()]);
        tables.push(ValuesCte::new("mentioning (id)", rows));
        named.push(
            "SELECT n.message_id, n.user_id, 'MENTION' AS kind
             FROM mentioning v CROSS JOIN mention n WHERE n.message_id = v.id"
                .to_owned(),
        );
    }
    if !replies.is_empty() {
        let rows = replies
            .iter()
            .map(|reply| [reply.message.into(), reply.thread.into()]);
        tables.push(ValuesCte::new("replied (message_id, thread_id)", rows));
        let mut followers = format!(
            "SELECT r.message_id, f.user_id, 'REPLY' AS kind
             FROM replied r CROSS JOIN thread_follow f
             WHERE f.thread_id = r.thread_id AND f.is_following AND {}",
            not_mentioned("r.message_id")
        );
        if !sent.later_followers.is_empty() {
            let rows = sent.later_followers.iter();
            let rows = rows.map(|&(id, user)| [id.into(), user.into()]);
            tables.push(ValuesCte::new("early (message_id, user_id)", rows));
            followers.push_str(
                " AND NOT EXISTS (SELECT 1 FROM early e
                     WHERE e.message_id = r.message_id AND e.user_id = f.user_id)",
            );
        }
        named.push(followers);
    }
    let Some(tables) = tables.into_iter().reduce(ValuesCte::with) else {
        return Ok(NotifiedBatch {
            large,
            ..Default::default()
        });
    };
    let recipients = Recipients {
        tables: Some(tables),
        named: named.join(" UNION ALL "),
        values: vec![],
        occasion: Occasion::New,
    };
    let named = insert_in(tx, now, recipients).await?;
    Ok(NotifiedBatch { named, large })
}

/// Whether a message does not mention follower `f`.
fn not_mentioned(message: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM mention n
             WHERE n.message_id = {message} AND n.user_id = f.user_id)"
    )
}

/// The threads with more followers than the transaction of a reply notifies. Followers are participants, so that only
/// the threads of large conversations are counted.
async fn large_threads_in(tx: &Tx, replies: &[SentReply]) -> Result<HashSet<ThreadId>, Error> {
    let may_be_large = |reply: &&SentReply| {
        u64::try_from(reply.participant_count).is_ok_and(|count| count > LARGE_THREAD)
    };
    let threads: BTreeSet<ThreadId> = replies
        .iter()
        .filter(may_be_large)
        .map(|reply| reply.thread)
        .collect();
    let mut large = HashSet::new();
    for thread in threads {
        let beyond: Option<UserId> = thread_follow::Entity::find()
            .select_only()
            .column(thread_follow::Column::UserId)
            .filter(thread_follow::Column::ThreadId.eq(thread))
            .offset(LARGE_THREAD)
            .limit(1)
            .into_tuple()
            .one(tx)
            .await?;
        large.extend(beyond.map(|_| thread));
    }
    Ok(large)
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
        let to = still_notified_in(tx, message, &notified, now).await?;
        added_to_in(tx, now, message.conversation_id, to).await?;
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
    let (some, values) = among("n", &listening);
    let named = format!(
        "SELECT n.message_id, n.user_id, 'MENTION' AS kind FROM mention n
         WHERE n.message_id = ? AND {some}"
    );
    let recipients = Recipients::of_one(named, (message.id, values), Occasion::Edit);
    let mut notified = insert_in(tx, now, recipients).await?;
    let to = notified.remove(&message.id).unwrap_or_default();
    added_to_in(tx, now, message.conversation_id, to).await
}

/// Notifies those of these users, whom a message mentioned before, who follow its thread. Returns their notifications, and
/// the plain ones of the others.
async fn still_notified_in(
    tx: &Tx,
    message: &message::Model,
    users: &BTreeSet<UserId>,
    now: DateTime<Utc>,
) -> Result<Notified, Error> {
    if users.is_empty() {
        return Ok(Notified::new());
    }
    let (some, values) = among("f", users);
    let named = format!(
        "SELECT m.id AS message_id, f.user_id, 'REPLY' AS kind
         FROM message m CROSS JOIN thread_follow f
         WHERE m.id = ? AND f.thread_id = m.root_id AND f.is_following AND {some}"
    );
    let recipients = Recipients::of_one(named, (message.id, values), Occasion::Later);
    let mut notified = insert_in(tx, now, recipients).await?;
    let mut to = notified.remove(&message.id).unwrap_or_default();
    to.extend(plain::of_users_in(tx, message, users).await?);
    Ok(to)
}

/// Whether the user of this table alias is one of these users, and the values.
fn among(alias: &str, users: &BTreeSet<UserId>) -> (String, Vec<Value>) {
    let some = format!("{alias}.user_id IN ({})", db::placeholders(users.len()));
    (some, users.iter().map(|&user| user.into()).collect())
}

/// Notifies the followers of the thread of a reply, [`BATCH`] in each transaction. Repeating it changes nothing.
pub async fn notify_followers(core: &Core, reply: MessageId) -> Result<(), Error> {
    let mut after = Some(UserId(Uuid::nil()));
    while let Some(follower) = after {
        after = core
            .db
            .write(|tx| async move { notify_some_in(&tx, core, reply, follower).await })
            .await?;
    }
    Ok(())
}

/// Notifies the next batch of followers. Returns the last of them, or `None` when no more are left.
async fn notify_some_in(
    tx: &Tx,
    core: &Core,
    reply: MessageId,
    after: UserId,
) -> Result<Option<UserId>, Error> {
    let Some(message) = message::Entity::find_by_id(reply).one(tx).await? else {
        return Ok(None);
    };
    let last: Option<UserId> = thread_follow::Entity::find()
        .select_only()
        .column(thread_follow::Column::UserId)
        .filter(thread_follow::Column::ThreadId.eq(message.thread_root()))
        .filter(thread_follow::Column::UserId.gt(after))
        .order_by_asc(thread_follow::Column::UserId)
        .offset(BATCH - 1)
        .into_tuple()
        .one(tx)
        .await?;
    let until = last.unwrap_or(UserId(Uuid::max()));
    let named = format!(
        "SELECT m.id AS message_id, f.user_id, 'REPLY' AS kind
         FROM message m CROSS JOIN thread_follow f
         WHERE m.id = ? AND m.deleted_at IS NULL AND f.thread_id = m.root_id AND f.is_following
             AND f.user_id > ? AND f.user_id <= ? AND {}",
        not_mentioned("m.id")
    );
    let values = vec![after.into(), until.into()];
    let recipients = Recipients::of_one(named, (message.id, values), Occasion::Later);
    let now = core.clock.now();
    let mut notified = insert_in(tx, now, recipients).await?;
    let to = notified.remove(&message.id).unwrap_or_default();
    added_to_in(tx, now, message.conversation_id, to).await?;
    Ok(last)
}

/// The users to notify of messages.
struct Recipients {
    tables: Option<ValuesCte>,
    /// A query for the columns `message_id`, `user_id` and `kind`.
    named: String,
    /// Its values.
    values: Vec<Value>,
    occasion: Occasion,
}

/// Why users are notified of a message.
#[derive(Clone, Copy, Debug)]
enum Occasion {
    /// It is new, so that none of them has read it.
    New,
    /// An edit names them, which they have not read.
    Edit,
    /// They follow its thread, and may have read it in the meantime.
    Later,
}

impl Recipients {
    /// Users to notify of one message, whose id the query binds first.
    fn of_one(
        named: String,
        (message, values): (MessageId, Vec<Value>),
        occasion: Occasion,
    ) -> Self {
        let values = std::iter::once(message.into()).chain(values);
        Self {
            tables: None,
            named,
            values: values.collect(),
            occasion,
        }
    }
}

/// Notifies these users, except those who sent the message, do not see it, accept no notifications, or were notified of
/// it before.
async fn insert_in(
    tx: &Tx,
    now: DateTime<Utc>,
    recipients: Recipients,
) -> Result<HashMap<MessageId, Notified>, Error> {
    let Recipients {
        tables,
        named,
        values,
        occasion,
    } = recipients;
    let id = id::mint_sql(tx.get_database_backend());
    let (tables, bound) = match tables {
        Some(tables) => (format!("WITH {}", tables.text), tables.values),
        None => (String::new(), vec![]),
    };
    let mut bound: Vec<Value> = bound;
    bound.push(id::sql_prefix().into());
    let times = match occasion {
        Occasion::New => "m.created_at, NULL".to_owned(),
        Occasion::Edit => {
            bound.push(now.into());
            "?, NULL".to_owned()
        }
        Occasion::Later => {
            bound.push(now.into());
            let is_unread = plain::of_one("m", &unread("u", "p"));
            format!("m.created_at, CASE WHEN {is_unread} THEN NULL ELSE ? END")
        }
    };
    bound.extend(values);
    bound.push(now.into());
    let text = format!(
        "{tables} INSERT INTO notification
             (id, user_id, kind, message_id, conversation_id, created_at, read_at)
         SELECT {id}, p.user_id, named.kind, m.id, m.conversation_id, {times}
         FROM ({named}) AS named CROSS JOIN message m CROSS JOIN participant p
         WHERE m.id = named.message_id AND p.conversation_id = m.conversation_id
             AND p.user_id = named.user_id AND p.user_id <> m.sender_id AND {} AND {}
         ON CONFLICT (message_id, user_id) DO NOTHING
         RETURNING id, message_id, user_id",
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
    let added = Change::NotificationsAdded {
        to,
        message: None,
        excludes_followers: false,
    };
    log::append(tx, Stream::Conversation(conversation), now, &[added]).await
}
