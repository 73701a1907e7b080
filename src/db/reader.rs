//! The connections for reading, and the reads of list pages.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::{
    options::STATEMENT_LIMIT, query_stats::QueryStats, read_connections::ReadConnections,
    row::RowRef, sqlite_reads::SqliteReads,
};
use crate::error::Error;

/// The connections for reading. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    connections: Connections,
    inline_reads: Option<SqliteReads>,
    /// How long SQLite may execute a statement. PostgreSQL has its own limit.
    limit: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Connections {
    Sqlite(Arc<ReadConnections>),
    Postgres(DatabaseConnection),
}

impl Reader {
    pub(super) fn sqlite(readers: ReadConnections) -> Self {
        Self::new(Connections::Sqlite(Arc::new(readers)))
    }

    pub(super) fn postgres(pool: DatabaseConnection) -> Self {
        Self::new(Connections::Postgres(pool))
    }

    fn new(connections: Connections) -> Self {
        Self {
            connections,
            inline_reads: None,
            limit: Some(STATEMENT_LIMIT),
        }
    }

    /// Reads pages on the calling thread if the database is SQLite.
    pub(super) fn inline_reads(self, url: &str) -> Self {
        let inline_reads = match self.connections {
            Connections::Sqlite(_) => SqliteReads::new(url),
            Connections::Postgres(_) => None,
        };
        Self {
            inline_reads,
            ..self
        }
    }

    /// Lets SQLite execute statements for any time. For commands of an operator.
    #[must_use]
    pub fn without_limit(&self) -> Self {
        Self {
            limit: None,
            ..self.clone()
        }
    }

    /// The connection pools, for statements that are not pages of a list. PostgreSQL has one, and SQLite one for each
    /// connection.
    #[must_use]
    pub fn pools(&self) -> Vec<&DatabaseConnection> {
        match &self.connections {
            Connections::Sqlite(readers) => readers.pools().collect(),
            Connections::Postgres(pool) => vec![pool],
        }
    }

    /// Runs a statement within the share of the owner of the current operation.
    async fn run<T>(
        &self,
        statement: impl AsyncFnOnce(&DatabaseConnection) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        let _permit = QueryStats::read_permit().await;
        match &self.connections {
            Connections::Sqlite(readers) => {
                let reader = readers.borrow(self.limit).await?;
                statement(reader.pool()).await
            }
            Connections::Postgres(pool) => statement(pool).await,
        }
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        if let Some(inline_reads) = &self.inline_reads {
            inline_reads.close();
        }
        for pool in self.pools() {
            pool.clone().close().await?;
        }
        Ok(())
    }
}

/// A connection from which pages of lists are read.
pub trait PageSource: ConnectionTrait {
    /// The connections for reads on the calling thread, if they are enabled.
    fn inline_reads(&self) -> Option<&SqliteReads> {
        None
    }
}

/// Runs a statement and decodes every row of its page with `read`.
pub async fn fetch_page<T, C: PageSource>(
    db: &C,
    statement: Statement,
    read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
) -> Result<Vec<T>, Error> {
    let inline_reads = db.inline_reads();
    if let Some(rows) = inline_reads.and_then(|reads| reads.read(&statement, &read)) {
        return Ok(rows);
    }
    let rows = db.query_all_raw(statement).await?;
    let read = |row| read(&RowRef::Sqlx(row));
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        match self.connections {
            Connections::Sqlite(_) => DbBackend::Sqlite,
            Connections::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(async |pool| pool.execute_raw(statement).await)
            .await
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        self.run(async |pool| pool.execute_unprepared(text).await)
            .await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(async |pool| pool.query_one_raw(statement).await)
            .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(async |pool| pool.query_all_raw(statement).await)
            .await
    }
}

impl PageSource for DatabaseConnection {}

impl PageSource for Reader {
    fn inline_reads(&self) -> Option<&SqliteReads> {
        self.inline_reads.as_ref()
    }
}
