//! The event log: its kinds of events, and how they are appended in the transaction of the change.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::entity::session::SessionEndReason as EndReason;
use crate::{
    db::{self, Tx, ValuesCte},
    error::Error,
    id::{ConversationId, MessageId, NotificationId, SessionId, ThreadId, UserId},
};

/// Events in one INSERT: four values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1024;
/// Users in one statement.
const USERS_PER_STATEMENT: usize = 5000;
/// Maximum number of participants of a conversation in which read positions are shared: each position is sent to all of
/// them.
pub const SHARED_READ_POSITIONS_MAX: usize = 100;

/// The stream of an event. Order and access are per stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Events for all members of a conversation.
    Conversation(ConversationId),
    /// Events for one user: joined, left, notifications read, own read positions, ended sessions.
    User(UserId),
}

impl Stream {
    /// The stream id in the log.
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::Conversation(id) => id.0,
            Self::User(id) => id.0,
        }
    }
}

/// What happened. Contains ids only, never text, so that a deletion does not have to change the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Change {
    /// A message was sent.
    MessageSent {
        /// The message.
        message: MessageId,
    },
    /// A message's text changed.
    MessageEdited {
        /// The message.
        message: MessageId,
    },
    /// A message was deleted.
    MessageDeleted {
        /// The message.
        message: MessageId,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// A thread's counts (conversation stream) or one user's state in it (user stream) changed.
    ThreadChanged {
        /// The thread.
        thread: ThreadId,
    },
    /// The user joined or was added to a conversation.
    ConversationJoined {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A conversation's fields (conversation stream) or one user's settings for it (user stream) changed.
    ConversationChanged {
        /// The conversation.
        conversation: ConversationId,
    },
    /// The user left, was removed, or the conversation was deleted.
    ConversationLeft {
        /// The conversation.
        conversation: ConversationId,
    },
    /// Someone joined, left or changed role.
    ParticipantChanged {
        /// The conversation.
        conversation: ConversationId,
        /// The user.
        user: UserId,
    },
    /// The user's read position moved.
    ReadPositionChanged {
        /// The conversation.
        conversation: ConversationId,
        /// The thread; none for the timeline.
        thread: Option<ThreadId>,
        /// The user.
        user: UserId,
        /// The last message read.
        up_to: Option<MessageId>,
        /// Whether the other members of the conversation receive it too: never with more than
        /// [`SHARED_READ_POSITIONS_MAX`] members.
        #[serde(default)]
        is_shared: bool,
    },
    /// Members of a conversation got a notification each. On the conversation's stream: one event, and no lock on their
    /// rows, for any number of users.
    NotificationsAdded {
        /// The notification of each user whom it names.
        to: BTreeMap<UserId, NotificationId>,
        /// A new message, of which all other members are notified who accept plain notifications or follow its thread.
        #[serde(default)]
        message: Option<MessageId>,
    },
    /// Messages were deleted, and their plain notifications with them.
    PlainNotificationsRemoved {
        /// The messages.
        messages: Vec<MessageId>,
    },
    /// Notifications were read or dismissed.
    NotificationsChanged {
        /// Their ids; none for all of them.
        notifications: Option<Vec<NotificationId>>,
    },
    /// A public profile changed. On the user's own stream, also delivered to all who share a conversation with them.
    UserChanged {
        /// The user.
        user: UserId,
    },
    /// The user's own data changed, which only they see.
    ViewerChanged,
    /// A session is over.
    SessionEnded {
        /// The session.
        session: SessionId,
        /// The reason.
        reason: EndReason,
    },
    /// A user's presence changed. Ephemeral: never in the log.
    PresenceChanged {
        /// The user.
        user: UserId,
    },
    /// A user began or stopped typing. Ephemeral: never in the log.
    TypingChanged {
        /// The conversation.
        conversation: ConversationId,
        /// The thread; none for the timeline.
        thread: Option<ThreadId>,
        /// The user.
        user: UserId,
        /// When to assume that they stopped; none when they did.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Events are missing, so the subscriber loads its state again. Takes the place of an event whose recipients could
    /// not be determined; in the log, of the oldest events of a stream that has grown too long.
    StreamReset,
}

impl Change {
    /// The name of this kind of event in the log.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MessageSent { .. } => "MessageSent",
            Self::MessageEdited { .. } => "MessageEdited",
            Self::MessageDeleted { .. } => "MessageDeleted",
            Self::ThreadChanged { .. } => "ThreadChanged",
            Self::ConversationJoined { .. } => "ConversationJoined",
            Self::ConversationChanged { .. } => "ConversationChanged",
            Self::ConversationLeft { .. } => "ConversationLeft",
            Self::ParticipantChanged { .. } => "ParticipantChanged",
            Self::ReadPositionChanged { .. } => "ReadPositionChanged",
            Self::NotificationsAdded { .. } => "NotificationsAdded",
            Self::PlainNotificationsRemoved { .. } => "PlainNotificationsRemoved",
            Self::NotificationsChanged { .. } => "NotificationsChanged",
            Self::UserChanged { .. } => "UserChanged",
            Self::ViewerChanged => "ViewerChanged",
            Self::SessionEnded { .. } => "SessionEnded",
            Self::PresenceChanged { .. } => "PresenceChanged",
            Self::TypingChanged { .. } => "TypingChanged",
            Self::StreamReset => "StreamReset",
        }
    }

    /// Whether the change may concern the notifications of all members of its conversation.
    #[must_use]
    pub fn may_notify_all(&self) -> bool {
        match self {
            Self::NotificationsAdded { message, .. } => message.is_some(),
            Self::PlainNotificationsRemoved { .. } => true,
            _ => false,
        }
    }

    /// Whether the change is delivered to current subscribers only and never stored.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        matches!(
            self,
            Self::PresenceChanged { .. } | Self::TypingChanged { .. }
        )
    }
}

/// Appends events to one stream, in order, in the transaction of the change. The row of the stream stays locked until
/// the commit, so the stream's sequence numbers have no gaps and are in commit order.
///
/// All code locks streams in the same order, conversations before users and users by id, so that two transactions do
/// not deadlock. The database aborts any deadlock that remains, and the transaction is retried.
pub async fn append(
    tx: &Tx,
    stream: Stream,
    at: DateTime<Utc>,
    changes: &[Change],
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let table = match stream {
        Stream::Conversation(_) => "conversation",
        Stream::User(_) => "\"user\"",
    };
    let count = i64::try_from(changes.len()).map_err(Error::internal)?;
    let text =
        format!("UPDATE {table} SET event_seq = event_seq + ? WHERE id = ? RETURNING event_seq");
    let last: Option<i64> = db::fetch_one(tx, &text, [count.into(), stream.id().into()]).await?;
    let missing = || Error::internal("the stream of an event does not exist");
    let last = last.ok_or_else(missing)?;
    let events: Vec<_> = numbered(stream, last - count, changes.iter().cloned()).collect();
    write(tx, at, &events).await
}

/// An event and its sequence number, which the caller has assigned under the lock of the stream's row.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// Its stream.
    pub stream: Stream,
    /// Its sequence number in the stream.
    pub seq: i64,
    /// What happened.
    pub change: Change,
}

/// Numbers the events of one stream, whose last sequence number so far is `last`.
pub fn numbered(
    stream: Stream,
    last: i64,
    changes: impl IntoIterator<Item = Change>,
) -> impl Iterator<Item = Numbered> {
    let event = move |(seq, change)| Numbered {
        stream,
        seq,
        change,
    };
    (last + 1..).zip(changes).map(event)
}

/// Inserts numbered events of any streams, in this order.
pub async fn write(tx: &Tx, at: DateTime<Utc>, events: &[Numbered]) -> Result<(), Error> {
    for chunk in events.chunks(ROWS_PER_INSERT) {
        let row = |event: &Numbered| -> Result<[Value; 4], Error> {
            Ok([
                event.stream.id().into(),
                event.seq.into(),
                event.change.kind().into(),
                payload(&event.change)?.into(),
            ])
        };
        let rows = chunk.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let table = ValuesCte::new("v (stream_id, seq, kind, payload)", rows);
        let text = format!(
            "WITH {} INSERT INTO event (stream_id, seq, kind, payload, created_at)
             SELECT stream_id, seq, kind, payload, ? FROM v WHERE seq IS NOT NULL",
            table.text
        );
        db::execute(tx, &text, table.and([at.into()])).await?;
    }
    tx.notify_on_commit();
    Ok(())
}

/// Appends the same event to the stream of each of these users, in few statements for any number of users. Skips users
/// who no longer exist.
pub async fn append_to_users(
    tx: &Tx,
    users: &[UserId],
    at: DateTime<Utc>,
    change: &Change,
) -> Result<(), Error> {
    let mut users = users.to_vec();
    users.sort_unstable();
    users.dedup();
    let payload = payload(change)?;
    // Lock the rows by id before the change, because an UPDATE alone locks them in any order. SQLite has one writer and
    // no row locks.
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => "ORDER BY id FOR NO KEY UPDATE",
        _ => "",
    };
    for chunk in users.chunks(USERS_PER_STATEMENT) {
        let marks = db::placeholders(chunk.len());
        let ids = || chunk.iter().map(|&user| Value::from(user));
        let text = format!(
            r#"UPDATE "user" SET event_seq = event_seq + 1
               WHERE id IN (SELECT id FROM "user" WHERE id IN ({marks}) {lock})"#
        );
        db::execute(tx, &text, ids()).await?;
        let text = format!(
            r#"INSERT INTO event (stream_id, seq, kind, payload, created_at)
               SELECT id, event_seq, ?, ?, ? FROM "user" WHERE id IN ({marks})"#
        );
        let event: [Value; 3] = [change.kind().into(), payload.as_str().into(), at.into()];
        db::execute(tx, &text, event.into_iter().chain(ids())).await?;
    }
    tx.notify_on_commit();
    Ok(())
}

/// Appends an individual event to the stream of each of these users, each of whom occurs once. Skips users who no
/// longer exist.
pub async fn append_each(
    tx: &Tx,
    at: DateTime<Utc>,
    mut changes: Vec<(UserId, Change)>,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    // Lock the rows by id, also across chunks.
    changes.sort_unstable_by_key(|&(user, _)| user);
    for chunk in changes.chunks(ROWS_PER_INSERT) {
        let seqs = next_seqs(tx, chunk).await?;
        let event = |(user, change): &(UserId, Change)| {
            let seq = *seqs.get(user)?;
            Some(Numbered {
                stream: Stream::User(*user),
                seq,
                change: change.clone(),
            })
        };
        let events: Vec<_> = chunk.iter().filter_map(event).collect();
        write(tx, at, &events).await?;
    }
    Ok(())
}

/// Assigns the next sequence number in the stream of each of these users.
async fn next_seqs(tx: &Tx, changes: &[(UserId, Change)]) -> Result<HashMap<UserId, i64>, Error> {
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => "ORDER BY id FOR NO KEY UPDATE",
        _ => "",
    };
    let text = format!(
        r#"UPDATE "user" SET event_seq = event_seq + 1
           WHERE id IN (SELECT id FROM "user" WHERE id IN ({}) {lock})
           RETURNING id, event_seq"#,
        db::placeholders(changes.len())
    );
    let ids = changes.iter().map(|&(user, _)| Value::from(user));
    db::fetch_tuples(tx, &text, ids.collect::<Vec<_>>()).await
}

/// The text of an event in the log.
pub(super) fn payload(change: &Change) -> Result<String, Error> {
    serde_json::to_string(change).map_err(Error::internal)
}
