//! The statements that read the log on SQLite and PostgreSQL.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, Value,
};

use super::{
    log::SHARED_READ_POSITIONS_MAX,
    log_reader::{Log, Row, Scope},
    memberships,
    position::{LogPosition, Snapshot},
};
use crate::{
    db::{self, Db},
    entity::participant,
    error::Error,
    id::{ConversationId, UserId},
};

/// The connections for a read of the log. The hub reads everything with its own connection, so that no other work delays
/// the delivery of events.
fn reader(db: &Db, scope: Scope) -> &db::Reader {
    match scope {
        Scope::Everything => db.log_reader(),
        Scope::Subscribed(_) | Scope::Memberships(_) => db.read(),
    }
}

#[async_trait]
impl Log for Db {
    async fn end(&self) -> Result<LogPosition, Error> {
        let text = format!("SELECT {}", end_of_log(self.backend()));
        let row = self
            .log_reader()
            .query_one_raw(db::sql(self.backend(), &text, []))
            .await?
            .ok_or_else(no_end)?;
        position(self.backend(), &row)
    }

    async fn memberships(
        &self,
        users: &[UserId],
        after: ConversationId,
        limit: usize,
    ) -> Result<Vec<(UserId, ConversationId)>, Error> {
        let found = participant::Entity::find()
            .select_only()
            .columns([
                participant::Column::UserId,
                participant::Column::ConversationId,
            ])
            .filter(participant::Column::UserId.is_in(users.iter().copied()))
            .filter(participant::Column::ConversationId.gt(after))
            .order_by_asc(participant::Column::UserId)
            .order_by_asc(participant::Column::ConversationId)
            .limit(u64::try_from(limit).map_err(Error::internal)?)
            .into_tuple()
            .all(self.read())
            .await?;
        Ok(found)
    }

    async fn contacts_among(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<HashSet<UserId>, Error> {
        memberships::contacts_among(self.read(), user, others).await
    }

    async fn between(
        &self,
        from: i64,
        until: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let (condition, ids) = condition(scope);
        let text = format!(
            "SELECT position, stream_id, payload, created_at FROM event
             WHERE position > ? AND position <= ? {condition}
             ORDER BY position LIMIT ?"
        );
        let mut values: Vec<Value> = vec![from.into(), until.into()];
        values.extend(ids);
        values.push(count(limit)?.into());
        db::fetch_all(reader(self, scope), &text, values).await
    }

    async fn unseen(
        &self,
        seen: &Snapshot,
        until: Option<&Arc<Snapshot>>,
        after: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<(Arc<Snapshot>, Vec<Row>), Error> {
        let (condition, ids) = condition(scope);
        // A snapshot does not see the transactions that were running and the later ones. These are two ranges of an
        // index, however long the oldest transaction has been running. A log that was restored from another cluster
        // contains transaction numbers of the future, which become visible when this cluster reaches them.
        //
        // The upper bound follows from the line below it, and `+ 0` changes no result. They are for the planner, which
        // does not know the values: it would otherwise estimate a third of the table and scan the primary key. The
        // values are in subqueries so that they cannot improve the plan; PostgreSQL would then plan again for each
        // execution, which takes longer than the read.
        let text = format!(
            "SELECT s.until::text AS until, e.position, e.stream_id, e.payload, e.created_at
             FROM (SELECT COALESCE(?::text::pg_snapshot, pg_current_snapshot()) AS until) s
             LEFT JOIN LATERAL (
                SELECT position, stream_id, payload, created_at FROM event
                WHERE (tx >= (SELECT ?::text::xid8) AND tx < pg_snapshot_xmax(s.until)
                        OR tx = ANY ((SELECT ?::text::xid8[])::xid8[]))
                    AND pg_visible_in_snapshot(tx, s.until)
                    AND position + 0 > ? {condition}
                ORDER BY position + 0 LIMIT ?
             ) e ON TRUE ORDER BY e.position"
        );
        let mut values: Vec<Value> = vec![
            until.map(|until| until.to_sql()).into(),
            seen.xmax().to_string().into(),
            seen.running_to_sql().into(),
            after.into(),
        ];
        values.extend(ids);
        values.push(count(limit)?.into());
        let rows = reader(self, scope)
            .query_all_raw(db::sql(DbBackend::Postgres, &text, values))
            .await?;
        let next = match until {
            Some(until) => Arc::clone(until),
            None => snapshot(rows.first().ok_or_else(no_end)?)?,
        };
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.try_get::<Option<i64>>("", "position")?.is_some() {
                found.push(Row::from_query_result(row, "")?);
            }
        }
        Ok((next, found))
    }
}

fn no_end() -> Error {
    Error::internal("the log has no end")
}

fn condition(scope: Scope) -> (Cow<'static, str>, Vec<Value>) {
    match scope {
        Scope::Everything => (Cow::Borrowed(""), vec![]),
        // Read positions are by far the most frequent events of other users. They are shared in small conversations
        // alone, which bounds the set of their members. The members of all conversations may be millions, so the reader
        // checks the profile changes, of which there are few.
        Scope::Subscribed(user) => {
            let text = format!(
                "AND (stream_id IN (
                    SELECT conversation_id FROM participant WHERE user_id = ? UNION ALL SELECT ?
                ) OR kind = 'UserChanged' OR kind = 'ReadPositionChanged' AND stream_id IN (
                    SELECT other.user_id FROM participant own
                    JOIN participant other ON other.conversation_id = own.conversation_id
                    WHERE own.user_id = ? AND NOT EXISTS (
                        SELECT 1 FROM participant one WHERE one.conversation_id = own.conversation_id
                        LIMIT 1 OFFSET {SHARED_READ_POSITIONS_MAX})
                ))"
            );
            (Cow::Owned(text), vec![user.0.into(); 3])
        }
        Scope::Memberships(user) => (
            Cow::Borrowed(
                "AND stream_id = ? AND kind IN ('ConversationJoined', 'ConversationLeft', 'UserChanged')",
            ),
            vec![user.0.into()],
        ),
    }
}

fn count(limit: usize) -> Result<i64, Error> {
    i64::try_from(limit).map_err(Error::internal)
}

/// SQL for the position after everything that the statement sees. SQLite never reuses a row number, so it is the last
/// one that was assigned, even if its event has been deleted.
fn end_of_log(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres {
        "pg_current_snapshot()::text"
    } else {
        "COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)"
    }
}

fn position(backend: DbBackend, row: &QueryResult) -> Result<LogPosition, Error> {
    if backend == DbBackend::Postgres {
        Ok(LogPosition::Snapshot(snapshot(row)?))
    } else {
        Ok(LogPosition::Position(row.try_get_by_index(0)?))
    }
}

/// The snapshot in the first column.
fn snapshot(row: &QueryResult) -> Result<Arc<Snapshot>, Error> {
    let text: String = row.try_get_by_index(0)?;
    let snapshot = Snapshot::parse(&text);
    let snapshot = snapshot.ok_or_else(|| Error::internal(format!("no snapshot: {text}")))?;
    Ok(Arc::new(snapshot))
}
