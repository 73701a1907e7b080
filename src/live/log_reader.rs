//! Reads the event log: what came after a place. Writes nothing, and leaves the statements to the [`Log`].

use std::{collections::BTreeSet, fmt, sync::Arc};

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

/// Which part of the log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of it.
    Everything,
    /// This person's own stream, those of the conversations they take part in now, and the profiles and read
    /// positions of whoever takes part in them.
    Heard(UserId),
    /// When this person joined and left conversations.
    Memberships(UserId),
}

/// A piece of the log.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The events, in order.
    pub(super) entries: Vec<Entry>,
    /// The place after them.
    pub(super) place: LogPosition,
    /// Whether the place is where reading was to end.
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

/// What a reader asks of the log, a statement each.
#[async_trait]
pub(super) trait Log: fmt::Debug + Send + Sync {
    /// The place of a reader who has read everything.
    async fn end(&self) -> Result<LogPosition, Error>;

    /// Which conversations each of these people takes part in, and the place in the log at which exactly
    /// that is true: both come from one statement, so from one moment. Sorted.
    async fn memberships(
        &self,
        people: &[UserId],
    ) -> Result<(Vec<(UserId, ConversationId)>, LogPosition), Error>;

    /// The streams of everybody who shares a conversation with this person: they hear of a new profile,
    /// without an event for each of them.
    async fn contacts(&self, user: UserId) -> Result<BTreeSet<Uuid>, Error>;

    /// On SQLite: rows after one position and up to another, in order.
    async fn between(
        &self,
        from: i64,
        until: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<Vec<Row>, Error>;

    /// On PostgreSQL: rows that `seen` does not see and `until` does, after a position, in order. Without
    /// `until` they are those that this very statement sees; its snapshot comes with them.
    async fn unseen(
        &self,
        seen: &Snapshot,
        until: Option<&Arc<Snapshot>>,
        position: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<(Arc<Snapshot>, Vec<Row>), Error>;
}

/// The next events after `from`, at most `limit`, and none after `until`. Read on from the batch's
/// place until it says that it is the last.
pub(super) async fn after(
    log: &dyn Log,
    from: &LogPosition,
    until: Option<&LogPosition>,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    match from {
        LogPosition::Position(position) => {
            let until = match until {
                Some(LogPosition::Position(until)) => *until,
                _ => i64::MAX,
            };
            by_position(log, *position, until, scope, limit).await
        }
        LogPosition::Snapshot(seen) => {
            let until = match until {
                Some(LogPosition::Snapshot(until)) => Some(until),
                _ => None,
            };
            by_snapshot(log, seen, None, until, scope, limit).await
        }
        LogPosition::Inside {
            seen,
            next,
            position,
        } => {
            let mut batch =
                by_snapshot(log, seen, Some(*position), Some(next), scope, limit).await?;
            // The batch that was begun ends where it was to end; what is newer comes after it.
            batch.is_last &= until == Some(&batch.place);
            Ok(batch)
        }
    }
}

async fn by_position(
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
            let place = LogPosition::Position(row.position);
            row.entry(place)
        })
        .collect();
    let reached = entries.last().map_or(from, |entry| entry.number);
    let place = if is_last && until < i64::MAX {
        until
    } else {
        reached
    };
    Ok(Batch {
        entries,
        place: LogPosition::Position(place),
        is_last,
    })
}

/// What `seen` does not see, and `until` (or else the statement) does.
async fn by_snapshot(
    log: &dyn Log,
    seen: &Arc<Snapshot>,
    position: Option<i64>,
    until: Option<&Arc<Snapshot>>,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    let position = position.unwrap_or(i64::MIN);
    let (next, rows) = log.unseen(seen, until, position, scope, limit).await?;
    let is_last = rows.len() < limit;
    let mut entries: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let place = LogPosition::Inside {
                seen: Arc::clone(seen),
                next: Arc::clone(&next),
                position: row.position,
            };
            row.entry(place)
        })
        .collect();
    let place = match entries.last() {
        Some(entry) if !is_last => entry.position.clone(),
        _ => LogPosition::Snapshot(Arc::clone(&next)),
    };
    if let (true, Some(last)) = (is_last, entries.last_mut()) {
        // Shorter, and as true.
        last.position = place.clone();
    }
    Ok(Batch {
        entries,
        place,
        is_last,
    })
}
