//! What reads, beside whatever writes. No rules.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::{row::RowRef, sqlite_reads::SqliteReads};
use crate::error::Error;

/// What reads, beside whatever writes.
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

    /// The same, for the database at this address, reading pages on the thread that asks when this is SQLite.
    pub(super) fn inline_reads(self, url: &str) -> Self {
        let inline_reads = match self.get_database_backend() {
            DbBackend::Sqlite => SqliteReads::of(url),
            _ => None,
        };
        Self {
            inline_reads,
            ..self
        }
    }

    /// The connections that everything else is read on.
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

/// Whatever pages of lists are read from.
pub trait PageSource: ConnectionTrait {
    /// Where they are read on the thread that asks, if they are.
    fn inline_reads(&self) -> Option<&SqliteReads> {
        None
    }
}

/// Reads every row of a page.
pub async fn fetch_page<T, C: PageSource>(
    db: &C,
    statement: Statement,
    read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
) -> Result<Vec<T>, Error> {
    let inline_reads = db.inline_reads();
    if let Some(rows) = inline_reads.and_then(|inline_reads| inline_reads.read(&statement, &read)) {
        return Ok(rows);
    }
    let rows = db.query_all_raw(statement).await?;
    let read = |row| read(&RowRef::Ordinary(row));
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
