//! The connections for reading, and the reads of list pages.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::{row::RowRef, sqlite_reads::SqliteReads};
use crate::error::Error;

/// The connections for reading.
#[derive(Clone, Debug)]
pub struct Reader {
    inner: DatabaseConnection,
    inline_reads: Option<SqliteReads>,
}

impl Reader {
    pub(super) fn new(inner: DatabaseConnection) -> Self {
        Self {
            inner,
            inline_reads: None,
        }
    }

    /// Reads pages on the calling thread if the database is SQLite.
    pub(super) fn inline_reads(self, url: &str) -> Self {
        let inline_reads = match self.get_database_backend() {
            DbBackend::Sqlite => SqliteReads::new(url),
            _ => None,
        };
        Self {
            inline_reads,
            ..self
        }
    }

    /// The connection pool, for statements that are not pages of a list.
    #[must_use]
    pub fn pool(&self) -> &DatabaseConnection {
        &self.inner
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        if let Some(inline_reads) = self.inline_reads {
            inline_reads.close();
        }
        self.inner.close().await
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
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(text).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}

impl PageSource for DatabaseConnection {}

impl PageSource for Reader {
    fn inline_reads(&self) -> Option<&SqliteReads> {
        self.inline_reads.as_ref()
    }
}
