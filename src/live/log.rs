//! The event log: appended to inside the transaction that makes a change.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{self, Tx, ValuesCte},
    entity::session::SessionEndReason,
    error::Error,
    id::{ConversationId, MessageId, NotificationId, SessionId, ThreadId, UserId},
};

/// Events in one INSERT: four values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1024;
/// People in one statement.
const USERS_PER_STATEMENT: usize = 5000;

/// What an event belongs to: its order is kept, and access to it is decided, per stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// What everybody in a conversation hears.
    Conversation(ConversationId),
    /// What one person hears: joined, left, notifications read, own read marks, session ends.
    User(UserId),
}

impl Stream {
    /// The id under which the log keeps the stream.
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::Conversation(id) => id.0,
            Self::User(id) => id.0,
        }
    }
}

/// Something that happened: ids only, never words that a deletion would have to find again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Change {
    /// A message was sent.
    MessageSent {
        /// Which.
        message: MessageId,
    },
    /// A message's text changed.
    MessageEdited {
        /// Which.
        message: MessageId,
    },
    /// A message was deleted.
    MessageDeleted {
        /// Which.
        message: MessageId,
        /// Where it was.
        conversation: ConversationId,
    },
    /// A thread's counts changed (conversation stream), or one person's state in it (user stream).
    ThreadChanged {
        /// Which.
        thread: ThreadId,
    },
    /// The person joined or was added to a conversation.
    ConversationJoined {
        /// Which.
        conversation: ConversationId,
    },
    /// A conversation's fields (conversation stream), or one person's settings for it (user stream),
    /// changed.
    ConversationChanged {
        /// Which.
        conversation: ConversationId,
    },
    /// The person left, was removed, or the conversation was deleted.
    ConversationLeft {
        /// Which.
        conversation: ConversationId,
    },
    /// Someone joined, left or changed role.
    ParticipantChanged {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
    },
    /// The person's read position moved.
    ReadPositionChanged {
        /// Where.
        conversation: ConversationId,
        /// In which thread; none for the timeline.
        thread: Option<ThreadId>,
        /// Who.
        user: UserId,
        /// The last message read.
        up_to: Option<MessageId>,
        /// Whether the others in the conversation hear it too.
        #[serde(default)]
        is_shared: bool,
    },
    /// People in a conversation got a notification each: on its stream, heard by them alone. One event and no lock of
    /// theirs, however many they are.
    NotificationsAdded {
        /// Whose, and which.
        to: BTreeMap<UserId, NotificationId>,
    },
    /// Notifications were read or dismissed.
    NotificationsChanged {
        /// Which; none for all of them.
        notifications: Option<Vec<NotificationId>>,
    },
    /// A public profile changed: on the person's own stream, heard by whoever shares a conversation with them.
    UserChanged {
        /// Whose.
        user: UserId,
    },
    /// A session is over.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
    /// Somebody came or went, or said so. Fleeting: never in the log.
    PresenceChanged {
        /// Who.
        user: UserId,
    },
    /// Somebody began or stopped typing. Fleeting: never in the log.
    TypingChanged {
        /// Where.
        conversation: ConversationId,
        /// In which thread; none for the timeline.
        thread: Option<ThreadId>,
        /// Who.
        user: UserId,
        /// When to assume they stopped; none when they did.
        expires_at: Option<DateTime<Utc>>,
    },
}

/// Why a session ended, as the log keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndReason {
    /// The viewer signed out, here or remotely.
    SignedOut,
    /// It was not renewed in time.
    Expired,
    /// It was ended for safety or by an administrator.
    Revoked,
    /// The account was deleted.
    AccountDeleted,
}

impl From<SessionEndReason> for EndReason {
    fn from(reason: SessionEndReason) -> Self {
        match reason {
            SessionEndReason::SignedOut => Self::SignedOut,
            SessionEndReason::Expired => Self::Expired,
            SessionEndReason::Revoked => Self::Revoked,
            SessionEndReason::AccountDeleted => Self::AccountDeleted,
        }
    }
}

impl Change {
    /// The name under which the log keeps this kind of event.
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
            Self::NotificationsChanged { .. } => "NotificationsChanged",
            Self::UserChanged { .. } => "UserChanged",
            Self::SessionEnded { .. } => "SessionEnded",
            Self::PresenceChanged { .. } => "PresenceChanged",
            Self::TypingChanged { .. } => "TypingChanged",
        }
    }

    /// Whether it is told to those who listen now, and never again.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        matches!(
            self,
            Self::PresenceChanged { .. } | Self::TypingChanged { .. }
        )
    }
}

/// Writes events of one stream, in order, in the transaction that causes them. The stream's row stays
/// locked until the commit, so its numbers are gapless and in commit order.
///
/// Streams are locked in one order everywhere, conversations before people and people by id, so that
/// two transactions never wait for each other; the database breaks the rest and the work is retried.
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
    let statement = db::sql(
        tx.get_database_backend(),
        &text,
        [count.into(), stream.id().into()],
    );
    let Some(row) = tx.query_one_raw(statement).await? else {
        return Err(Error::internal("an event of a stream that is gone"));
    };
    let last: i64 = row.try_get_by_index(0)?;
    let events: Vec<_> = numbered(stream, last - count, changes.iter().cloned()).collect();
    write(tx, at, &events).await
}

/// An event and its number, which the caller has taken under the lock of its stream's row.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// On which stream.
    pub stream: Stream,
    /// Its place there.
    pub seq: i64,
    /// What happened.
    pub change: Change,
}

/// Numbers events of one stream, of which `before` is the last so far.
pub fn numbered(
    stream: Stream,
    before: i64,
    changes: impl IntoIterator<Item = Change>,
) -> impl Iterator<Item = Numbered> {
    let place = move |(seq, change)| Numbered {
        stream,
        seq,
        change,
    };
    (before + 1..).zip(changes).map(place)
}

/// Writes events that have their numbers, of however many streams, in this order.
pub async fn write(tx: &Tx, at: DateTime<Utc>, events: &[Numbered]) -> Result<(), Error> {
    for some in events.chunks(ROWS_PER_INSERT) {
        let row = |event: &Numbered| -> Result<[Value; 4], Error> {
            Ok([
                event.stream.id().into(),
                event.seq.into(),
                event.change.kind().into(),
                payload(&event.change)?.into(),
            ])
        };
        let rows = some.iter().map(row).collect::<Result<Vec<_>, _>>()?;
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

/// Writes the same event on the stream of each of these people, in a few statements however many they
/// are. People who are gone are passed over.
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
    // Rows are locked by id before any is changed: an UPDATE alone locks them in any order. SQLite
    // has one writer and nothing to lock.
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => "ORDER BY id FOR NO KEY UPDATE",
        _ => "",
    };
    for some in users.chunks(USERS_PER_STATEMENT) {
        let marks = db::placeholders(some.len());
        let ids = || some.iter().map(|&user| Value::from(user));
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

/// Writes an event of their own on the stream of each of these people, who are named once each. People
/// who are gone are passed over.
pub async fn append_each(
    tx: &Tx,
    at: DateTime<Utc>,
    mut changes: Vec<(UserId, Change)>,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    // Locked by id, as above, also across the statements.
    changes.sort_unstable_by_key(|&(user, _)| user);
    for some in changes.chunks(ROWS_PER_INSERT) {
        let seqs = take_one_each(tx, some).await?;
        let event = |(user, change): &(UserId, Change)| {
            let seq = *seqs.get(user)?;
            Some(Numbered {
                stream: Stream::User(*user),
                seq,
                change: change.clone(),
            })
        };
        let events: Vec<_> = some.iter().filter_map(event).collect();
        write(tx, at, &events).await?;
    }
    Ok(())
}

/// The next number of each of these people's streams.
async fn take_one_each(
    tx: &Tx,
    changes: &[(UserId, Change)],
) -> Result<HashMap<UserId, i64>, Error> {
    #[derive(FromQueryResult)]
    struct Taken {
        id: UserId,
        event_seq: i64,
    }
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
    let taken: Vec<Taken> = db::fetch_all(tx, &text, ids.collect::<Vec<_>>()).await?;
    Ok(taken
        .into_iter()
        .map(|row| (row.id, row.event_seq))
        .collect())
}

fn payload(change: &Change) -> Result<String, Error> {
    serde_json::to_string(change).map_err(Error::internal)
}
