//! Reads the events after a position of the log. [`Log`] executes the statements; nothing here writes.

use std::{collections::HashSet, fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{
    entry::{Entry, EntryCache},
    position::{LogPosition, Snapshot},
};
use crate::{
    error::Error,
    id::{ConversationId, UserId},
};

/// The part of the log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Everything,
    /// The user's own stream, the streams of the conversations of which they are a member now, the shared read positions
    /// of the members of these, and all profile changes.
    Subscribed(UserId),
    /// The events of the user joining and leaving conversations, and what takes the place of missing ones.
    Memberships(UserId),
}

/// Consecutive events of the log.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// The position after them.
    pub(super) position: LogPosition,
    /// Whether this is the last batch of the read.
    pub(super) is_last: bool,
}

/// A row of the log.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Row {
    pub(super) position: i64,
    pub(super) stream_id: Uuid,
    pub(super) payload: String,
    pub(super) created_at: DateTime<Utc>,
}

impl Row {
    fn entry(self, position: LogPosition) -> Entry {
        Entry {
            stream: self.stream_id,
            number: self.position,
            at: self.created_at,
            change: serde_json::from_str(&self.payload).ok(),
            position,
            cache: EntryCache::default(),
        }
    }
}

/// The statements that read the log.
#[async_trait]
pub(super) trait Log: fmt::Debug + Send + Sync {
    /// The position after everything that is committed.
    async fn end(&self) -> Result<LogPosition, Error>;

    /// The conversations after this id of which each of these users is a member, ordered by user and conversation, and
    /// at most `limit`.
    async fn memberships(
        &self,
        users: &[UserId],
        after: ConversationId,
        limit: usize,
    ) -> Result<Vec<(UserId, ConversationId)>, Error>;

    /// Those of the other users who share a conversation with this user. They receive each other's profile changes.
    async fn contacts_among(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<HashSet<UserId>, Error>;

    /// On SQLite: the rows with a number above `from` and up to `until`, in order.
    async fn between(
        &self,
        from: i64,
        until: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<Vec<Row>, Error>;

    /// On PostgreSQL: the rows that are visible in `until` but not in `seen` and have a number above `after`, in order.
    /// Also returns `until`, or the snapshot of the statement itself when it is none.
    async fn unseen(
        &self,
        seen: &Snapshot,
        until: Option<&Arc<Snapshot>>,
        after: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<(Arc<Snapshot>, Vec<Row>), Error>;
}

/// The next events after `from`, at most `limit`, and none after `until`. Continue from the batch's position until
/// [`Batch::is_last`].
pub(super) async fn after(
    log: &dyn Log,
    from: &LogPosition,
    until: Option<&LogPosition>,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    match from {
        LogPosition::Position(number) => {
            let until = match until {
                Some(LogPosition::Position(until)) => *until,
                _ => i64::MAX,
            };
            by_number(log, *number, until, scope, limit).await
        }
        LogPosition::Snapshot(seen) => {
            let until = match until {
                Some(LogPosition::Snapshot(until)) => Some(until),
                _ => None,
            };
            by_snapshot(log, seen, None, until, scope, limit).await
        }
        LogPosition::Inside { seen, next, number } => {
            let mut batch = by_snapshot(log, seen, Some(*number), Some(next), scope, limit).await?;
            // This finishes a batch that was begun earlier. Newer events follow in the next one.
            batch.is_last &= until == Some(&batch.position);
            Ok(batch)
        }
    }
}

async fn by_number(
    log: &dyn Log,
    from: i64,
    until: i64,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    let rows = log.between(from, until, scope, limit).await?;
    let is_last = rows.len() < limit;
    let entries: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let position = LogPosition::Position(row.position);
            row.entry(position)
        })
        .collect();
    let reached = entries.last().map_or(from, |entry| entry.number);
    let end = if is_last && until < i64::MAX {
        until
    } else {
        reached
    };
    Ok(Batch {
        entries,
        position: LogPosition::Position(end),
        is_last,
    })
}

/// The rows that are visible in `until`, or to the statement, but not in `seen`.
async fn by_snapshot(
    log: &dyn Log,
    seen: &Arc<Snapshot>,
    after: Option<i64>,
    until: Option<&Arc<Snapshot>>,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    let after = after.unwrap_or(i64::MIN);
    let (next, rows) = log.unseen(seen, until, after, scope, limit).await?;
    let is_last = rows.len() < limit;
    let mut entries: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let position = LogPosition::Inside {
                seen: Arc::clone(seen),
                next: Arc::clone(&next),
                number: row.position,
            };
            row.entry(position)
        })
        .collect();
    let position = match entries.last() {
        Some(entry) if !is_last => entry.position.clone(),
        _ => LogPosition::Snapshot(Arc::clone(&next)),
    };
    if let (true, Some(last)) = (is_last, entries.last_mut()) {
        // Equivalent, and shorter as a cursor.
        last.position = position.clone();
    }
    Ok(Batch {
        entries,
        position,
        is_last,
    })
}
