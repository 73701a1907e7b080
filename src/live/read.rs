//! Reads the event log: where it ends now, and what came after a place. Writes nothing.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, QueryResult, Value,
};
use uuid::Uuid;

use super::{
    log::Change,
    place::{Place, Snapshot},
};
use crate::{
    db,
    error::Error,
    id::{ConversationId, UserId},
};

/// An event as the log keeps it, decoded once for all who hear it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The conversation or the person it belongs to.
    pub stream: Uuid,
    /// Its number in the whole log.
    pub position: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened; none when a newer version of this server wrote something that this one does
    /// not know.
    pub change: Option<Change>,
    /// The place just after it.
    pub place: Place,
}

/// Which part of the log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
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
pub struct Batch {
    /// The events, in order.
    pub entries: Vec<Entry>,
    /// The place after them.
    pub place: Place,
    /// Whether the place is where reading was to end.
    pub is_last: bool,
}

/// The place of a reader who has read everything.
pub async fn end(db: &DatabaseConnection) -> Result<Place, Error> {
    let text = format!("SELECT {}", end_of_log(db.get_database_backend()));
    let row = db
        .query_one_raw(db::sql(db.get_database_backend(), &text, []))
        .await?
        .ok_or_else(|| Error::internal("the log has no end"))?;
    place(db.get_database_backend(), &row)
}

/// Which conversations each of these people takes part in, and the place in the log at which exactly
/// that is true: both come from one statement, so from one moment. Sorted.
pub async fn memberships(
    db: &DatabaseConnection,
    people: &[UserId],
) -> Result<(Vec<(UserId, ConversationId)>, Place), Error> {
    let backend = db.get_database_backend();
    let text = format!(
        "SELECT s.place, p.user_id, p.conversation_id FROM (SELECT {} AS place) s
         LEFT JOIN participant p ON p.user_id IN ({})",
        end_of_log(backend),
        db::marks(people.len())
    );
    let values = people.iter().map(|user| user.0.into());
    let rows = db.query_all_raw(db::sql(backend, &text, values)).await?;
    let Some(first) = rows.first() else {
        return Err(Error::internal("the log has no end"));
    };
    let end = place(backend, first)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let user: Option<Uuid> = row.try_get_by_index(1)?;
        let conversation: Option<Uuid> = row.try_get_by_index(2)?;
        if let (Some(user), Some(conversation)) = (user, conversation) {
            found.push((UserId(user), ConversationId(conversation)));
        }
    }
    found.sort_unstable();
    Ok((found, end))
}

/// SQL for everybody who shares a conversation with somebody, once for each.
macro_rules! contacts {
    () => {
        "SELECT other.user_id FROM participant own
         JOIN participant other ON other.conversation_id = own.conversation_id
         WHERE own.user_id = ?"
    };
}

/// The streams of everybody who shares a conversation with this person: they hear of a new profile,
/// without an event for each of them.
pub async fn contacts(db: &DatabaseConnection, user: UserId) -> Result<HashSet<Uuid>, Error> {
    let statement = db::sql(db.get_database_backend(), contacts!(), [user.0.into()]);
    let rows = db.query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get_by_index(0));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The next events after `from`, at most `limit`, and none after `until`. Read on from the batch's
/// place until it says that it is the last.
pub async fn after(
    db: &DatabaseConnection,
    from: &Place,
    until: Option<&Place>,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    match from {
        Place::Position(position) => {
            let until = match until {
                Some(Place::Position(until)) => *until,
                _ => i64::MAX,
            };
            by_position(db, *position, until, scope, limit).await
        }
        Place::Snapshot(seen) => {
            let until = match until {
                Some(Place::Snapshot(until)) => Some(until),
                _ => None,
            };
            by_snapshot(db, seen, None, until, scope, limit).await
        }
        Place::Inside {
            seen,
            next,
            position,
        } => {
            let mut batch =
                by_snapshot(db, seen, Some(*position), Some(next), scope, limit).await?;
            // The batch that was begun ends where it was to end; what is newer comes after it.
            batch.is_last &= until == Some(&batch.place);
            Ok(batch)
        }
    }
}

async fn by_position(
    db: &DatabaseConnection,
    from: i64,
    until: i64,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    let (condition, ids) = condition(scope);
    let text = format!(
        "SELECT position, stream_id, payload, created_at FROM event
         WHERE position > ? AND position <= ? {condition}
         ORDER BY position LIMIT ?"
    );
    let mut values: Vec<Value> = vec![from.into(), until.into()];
    values.extend(ids);
    values.push(count(limit)?.into());
    let rows: Vec<Row> = db::all(db, &text, values).await?;
    let is_last = rows.len() < limit;
    let entries: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let place = Place::Position(row.position);
            row.entry(place)
        })
        .collect();
    let reached = entries.last().map_or(from, |entry| entry.position);
    let place = if is_last && until < i64::MAX {
        until
    } else {
        reached
    };
    Ok(Batch {
        entries,
        place: Place::Position(place),
        is_last,
    })
}

/// What `seen` does not see, and `until` (or else this very statement) does.
async fn by_snapshot(
    db: &DatabaseConnection,
    seen: &Arc<Snapshot>,
    position: Option<i64>,
    until: Option<&Arc<Snapshot>>,
    scope: Scope,
    limit: usize,
) -> Result<Batch, Error> {
    let (condition, ids) = condition(scope);
    // What a snapshot does not see are the transactions that were running and the later ones: two
    // ranges of an index, however long the oldest of them has been running. A log that was restored
    // from another cluster holds numbers from the future; those wait until their time.
    let text = format!(
        "SELECT s.until::text AS until, e.position, e.stream_id, e.payload, e.created_at
         FROM (SELECT COALESCE(?::text::pg_snapshot, pg_current_snapshot()) AS until) s
         LEFT JOIN LATERAL (
            SELECT position, stream_id, payload, created_at FROM event
            WHERE (tx >= ?::text::xid8 OR tx = ANY (?::text::xid8[]))
                AND pg_visible_in_snapshot(tx, s.until)
                AND position > ? {condition}
            ORDER BY position LIMIT ?
         ) e ON TRUE ORDER BY e.position"
    );
    let mut values: Vec<Value> = vec![
        until.map(|until| until.to_sql()).into(),
        seen.xmax().to_string().into(),
        seen.running_to_sql().into(),
        position.unwrap_or(i64::MIN).into(),
    ];
    values.extend(ids);
    values.push(count(limit)?.into());
    let rows = db
        .query_all_raw(db::sql(DbBackend::Postgres, &text, values))
        .await?;
    let Some(first) = rows.first() else {
        return Err(Error::internal("the log has no end"));
    };
    let next = match until {
        Some(until) => Arc::clone(until),
        None => snapshot(first)?,
    };
    let inside = |position| Place::Inside {
        seen: Arc::clone(seen),
        next: Arc::clone(&next),
        position,
    };
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<i64>>("", "position")?.is_some() {
            let row = Row::from_query_result(row, "")?;
            let place = inside(row.position);
            entries.push(row.entry(place));
        }
    }
    let is_last = entries.len() < limit;
    let place = match entries.last() {
        Some(entry) if !is_last => entry.place.clone(),
        _ => Place::Snapshot(Arc::clone(&next)),
    };
    if let (true, Some(last)) = (is_last, entries.last_mut()) {
        // Shorter, and as true.
        last.place = place.clone();
    }
    Ok(Batch {
        entries,
        place,
        is_last,
    })
}

#[derive(FromQueryResult)]
struct Row {
    position: i64,
    stream_id: Uuid,
    payload: String,
    created_at: DateTime<Utc>,
}

impl Row {
    fn entry(self, place: Place) -> Entry {
        Entry {
            stream: self.stream_id,
            position: self.position,
            at: self.created_at,
            change: serde_json::from_str(&self.payload).ok(),
            place,
        }
    }
}

fn condition(scope: Scope) -> (&'static str, Vec<Value>) {
    match scope {
        Scope::Everything => ("", vec![]),
        Scope::Heard(user) => (
            concat!(
                "AND (stream_id IN (
                    SELECT conversation_id FROM participant WHERE user_id = ? UNION ALL SELECT ?
                ) OR kind IN ('UserChanged', 'ReadPositionChanged') AND stream_id IN (",
                contacts!(),
                "))"
            ),
            vec![user.0.into(); 3],
        ),
        Scope::Memberships(user) => (
            "AND stream_id = ? AND kind IN ('ConversationJoined', 'ConversationLeft')",
            vec![user.0.into()],
        ),
    }
}

fn count(limit: usize) -> Result<i64, Error> {
    i64::try_from(limit).map_err(Error::internal)
}

/// SQL for the place after everything that the statement sees. SQLite never gives a position twice,
/// so the last one it gave counts, even if its event is no longer kept.
fn end_of_log(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres {
        "pg_current_snapshot()::text"
    } else {
        "COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)"
    }
}

fn place(backend: DbBackend, row: &QueryResult) -> Result<Place, Error> {
    if backend == DbBackend::Postgres {
        Ok(Place::Snapshot(snapshot(row)?))
    } else {
        Ok(Place::Position(row.try_get_by_index(0)?))
    }
}

/// The snapshot in the first column.
fn snapshot(row: &QueryResult) -> Result<Arc<Snapshot>, Error> {
    let text: String = row.try_get_by_index(0)?;
    let snapshot = Snapshot::parse(&text);
    let snapshot = snapshot.ok_or_else(|| Error::internal(format!("no snapshot: {text}")))?;
    Ok(Arc::new(snapshot))
}
