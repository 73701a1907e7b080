//! The statements that read the log on SQLite and PostgreSQL.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, QueryResult, Value};
use uuid::Uuid;

use super::{
    log_reader::{Log, Row, Scope},
    position::{LogPosition, Snapshot},
};
use crate::{
    db::{self, Db},
    error::Error,
    id::{ConversationId, UserId},
};

/// SQL for the users who share a conversation with a user; one row per shared conversation.
macro_rules! contacts {
    () => {
        "SELECT other.user_id FROM participant own
         JOIN participant other ON other.conversation_id = own.conversation_id
         WHERE own.user_id = ?"
    };
}

#[async_trait]
impl Log for Db {
    async fn end(&self) -> Result<LogPosition, Error> {
        let text = format!("SELECT {}", end_of_log(self.backend()));
        let row = self
            .read()
            .query_one_raw(db::sql(self.backend(), &text, []))
            .await?
            .ok_or_else(no_end)?;
        position(self.backend(), &row)
    }

    async fn memberships(
        &self,
        users: &[UserId],
    ) -> Result<(Vec<(UserId, ConversationId)>, LogPosition), Error> {
        let backend = self.backend();
        let text = format!(
            "SELECT s.position, p.user_id, p.conversation_id FROM (SELECT {} AS position) s
             LEFT JOIN participant p ON p.user_id IN ({})",
            end_of_log(backend),
            db::placeholders(users.len())
        );
        let values = users.iter().map(|user| user.0.into());
        let rows = self
            .read()
            .query_all_raw(db::sql(backend, &text, values))
            .await?;
        let end = position(backend, rows.first().ok_or_else(no_end)?)?;
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

    async fn contacts(&self, user: UserId) -> Result<BTreeSet<Uuid>, Error> {
        let statement = db::sql(self.backend(), contacts!(), [user.0.into()]);
        let rows = self.read().query_all_raw(statement).await?;
        let ids = rows.iter().map(|row| row.try_get_by_index(0));
        Ok(ids.collect::<Result<_, _>>()?)
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
        db::fetch_all(self.read(), &text, values).await
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
        let rows = self
            .read()
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

fn condition(scope: Scope) -> (&'static str, Vec<Value>) {
    match scope {
        Scope::Everything => ("", vec![]),
        Scope::Subscribed(user) => (
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
