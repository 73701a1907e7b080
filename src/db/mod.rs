//! The database: one writer and readers beside it on SQLite, a pool on PostgreSQL; transactions that
//! are retried when the database asks for it; and the meter that counts statements. No rules.

/// Whatever is asked of these is asked of what is inside them.
macro_rules! delegate_connection {
    ($name:ty) => {
        #[async_trait::async_trait]
        impl sea_orm::ConnectionTrait for $name {
            fn get_database_backend(&self) -> sea_orm::DbBackend {
                self.inner.get_database_backend()
            }

            async fn execute_raw(
                &self,
                statement: sea_orm::Statement,
            ) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
                self.inner.execute_raw(statement).await
            }

            async fn execute_unprepared(
                &self,
                text: &str,
            ) -> Result<sea_orm::ExecResult, sea_orm::DbErr> {
                self.inner.execute_unprepared(text).await
            }

            async fn query_one_raw(
                &self,
                statement: sea_orm::Statement,
            ) -> Result<Option<sea_orm::QueryResult>, sea_orm::DbErr> {
                self.inner.query_one_raw(statement).await
            }

            async fn query_all_raw(
                &self,
                statement: sea_orm::Statement,
            ) -> Result<Vec<sea_orm::QueryResult>, sea_orm::DbErr> {
                self.inner.query_all_raw(statement).await
            }
        }
    };
}

mod options;
mod query_stats;
mod reader;
mod row;
mod sqlite_reads;
mod transaction;
mod values_cte;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, FromQueryResult, Statement, Value,
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

pub use self::{
    options::note_timeout,
    query_stats::QueryStats,
    reader::{PageSource, Reader, fetch_page},
    row::RowRef,
    transaction::Tx,
    values_cte::ValuesCte,
};
use self::{
    options::{Replacement, SQLITE_READERS, assert_sqlite_version, postgres, sqlite},
    query_stats::with_stats,
    transaction::Wakeup,
};
use crate::error::{Code, Error};

/// How long to wait for a few statements: longer than PostgreSQL itself works on one, so what takes this long is lost
/// on the way, and TCP would hope for it for a quarter of an hour.
const TIMEOUT: Duration = Duration::from_secs(6);
/// The same for what is gathered from several operations, which end before that.
const BATCH_TIMEOUT: Duration = Duration::from_secs(12);

/// A connected database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    writer: DatabaseConnection,
    reader: Reader,
    replacement: Replacement,
    /// Counts commits that wrote events: the doorbell of this process.
    wakeups: Arc<watch::Sender<u64>>,
    /// The same for changes that are not kept: presence and typing.
    ephemeral_wakeups: Arc<watch::Sender<u64>>,
    /// Rung by commits that asked for background work.
    job_wakeup: Arc<Notify>,
    /// Counts what may have ended sessions: what was known of them before is to be looked up again.
    session_endings: Arc<AtomicU64>,
}

impl Db {
    /// Connects to `sqlite:PATH` or `postgres://…`; a missing SQLite file is created.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let replacement = Replacement::default();
        let (writer, reader) = if url.starts_with("sqlite:") {
            let writer = Database::connect(sqlite(url, 1, false, &replacement)).await?;
            let reader = sqlite(url, SQLITE_READERS, true, &replacement);
            let reader = Database::connect(reader).await?;
            assert_sqlite_version(&writer).await?;
            (with_stats(writer), with_stats(reader))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = with_stats(Database::connect(postgres(url, &replacement)).await?);
            (pool.clone(), pool)
        } else {
            let message = "The database URL begins with neither `sqlite:` nor `postgres:`.";
            return Err(Error::internal(message));
        };
        Ok(Self {
            writer,
            reader: Reader::new(reader),
            replacement,
            wakeups: Arc::new(watch::Sender::new(0)),
            ephemeral_wakeups: Arc::new(watch::Sender::new(0)),
            job_wakeup: Arc::new(Notify::new()),
            session_endings: Arc::default(),
        })
    }

    /// The same; pages of lists are read on the thread that asks, when this is SQLite. Answers are the same.
    #[must_use]
    pub fn with_inline_reads(mut self, url: &str) -> Self {
        self.reader = self.reader.inline_reads(url);
        self
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// A connection for reading. On SQLite it cannot write.
    #[must_use]
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// The connection that migrations run on.
    #[must_use]
    pub fn migrate(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Changes whenever a transaction of this process that wrote events was committed.
    #[must_use]
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        self.wakeups.subscribe()
    }

    /// Changes whenever a transaction of this process that changed something fleeting was committed.
    #[must_use]
    pub fn ephemeral_wakeups(&self) -> watch::Receiver<u64> {
        self.ephemeral_wakeups.subscribe()
    }

    /// Wakes one waiter whenever a transaction of this process that asked for work was committed.
    #[must_use]
    pub fn job_wakeup(&self) -> &Notify {
        &self.job_wakeup
    }

    /// How often sessions have ended, as far as this process knows.
    #[must_use]
    pub fn session_endings(&self) -> u64 {
        self.session_endings.load(Ordering::Acquire)
    }

    /// Sessions have ended here or on another node.
    pub fn note_session_endings(&self) {
        self.session_endings.fetch_add(1, Ordering::AcqRel);
    }

    fn notify(&self, wakeup: Wakeup) {
        let count = |count: &mut u64| *count = count.wrapping_add(1);
        match wakeup {
            Wakeup::Readers => self.wakeups.send_modify(count),
            Wakeup::Ephemeral => self.ephemeral_wakeups.send_modify(count),
            Wakeup::Workers => self.job_wakeup.notify_one(),
            Wakeup::Sessions => self.note_session_endings(),
        }
    }

    /// Closes every connection; on SQLite the write-ahead log is folded into the file.
    pub async fn close(self) -> Result<(), Error> {
        self.reader.close().await?;
        self.writer.close().await?;
        Ok(())
    }
}

/// SQL text that is the same on both databases but for its placeholders: written with `?`.
#[must_use]
pub fn sql<I>(backend: DbBackend, text: &str, values: I) -> Statement
where
    I: IntoIterator<Item = Value>,
{
    Statement::from_sql_and_values(backend, number_placeholders(backend, text), values)
}

/// The same text with the placeholders that the database wants.
#[must_use]
pub fn number_placeholders(backend: DbBackend, text: &str) -> String {
    number_placeholders_after(0, backend, text)
}

/// The same for a text that follows another one with so many.
#[must_use]
pub fn number_placeholders_after(before: u32, backend: DbBackend, text: &str) -> String {
    if backend != DbBackend::Postgres {
        return text.to_owned();
    }
    let mut pieces = text.split('?');
    let mut numbered = String::with_capacity(text.len() + 64);
    numbered.push_str(pieces.next().unwrap_or_default());
    for (number, piece) in (before + 1..).zip(pieces) {
        numbered.push('$');
        numbered.push_str(&number.to_string());
        numbered.push_str(piece);
    }
    numbered
}

/// Runs SQL written with `?` and reads every row as a `T`.
pub async fn fetch_all<T, C, I>(db: &C, text: &str, values: I) -> Result<Vec<T>, Error>
where
    T: FromQueryResult,
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    let statement = sql(db.get_database_backend(), text, values);
    let rows = db.query_all_raw(statement).await?;
    Ok(rows
        .iter()
        .map(|row| T::from_query_result(row, ""))
        .collect::<Result<_, _>>()?)
}

/// Runs SQL written with `?` and reads the first row, if there is one.
pub async fn fetch_one<T, C, I>(db: &C, text: &str, values: I) -> Result<Option<T>, Error>
where
    T: FromQueryResult,
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    let row = db
        .query_one_raw(sql(db.get_database_backend(), text, values))
        .await?;
    Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
}

/// Runs SQL written with `?` and tells how many rows it changed.
pub async fn execute<C, I>(db: &C, text: &str, values: I) -> Result<u64, Error>
where
    C: ConnectionTrait,
    I: IntoIterator<Item = Value> + Send,
{
    Ok(db
        .execute_raw(sql(db.get_database_backend(), text, values))
        .await?
        .rows_affected())
}

/// Gives work up that the database has not answered in time, as UNAVAILABLE. For what no request waits for.
pub async fn with_timeout<T, E: From<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    within(TIMEOUT, work).await
}

/// The same for what is done for requests that wait, and outlives them.
pub async fn with_batch_timeout<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    within(BATCH_TIMEOUT, work).await
}

async fn within<T, E: From<Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let given_up = |_| {
        note_timeout();
        let message = "The database does not answer.";
        Err(Error::new(Code::Unavailable, message).into())
    };
    timeout(limit, work).await.unwrap_or_else(given_up)
}

/// `?, ?, ?` for a list of this length.
#[must_use]
pub fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Runs a future as a task of its own that counts for the same operation; what data loaders use. It does not outlive
/// its operation by much: a connection that nobody answers on would be held as long.
pub fn spawn_with_stats(work: BoxFuture<'static, ()>) {
    let work = async move {
        if timeout(BATCH_TIMEOUT, work).await.is_err() {
            note_timeout();
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a loader's task lives no longer than its request"
    )]
    match QueryStats::current() {
        Some(meter) => tokio::spawn(meter.measure(work)),
        None => tokio::spawn(work),
    };
}
