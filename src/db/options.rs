//! Connection and pool options of both databases, and the checks of a connection before its use.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sqlx::{
    Connection, PgConnection,
    pool::PoolConnectionMetadata,
    sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use tokio::time::{Instant, timeout};

use super::{deadline::Deadline, timeout::timed_out_recently};
use crate::error::Error;

/// Earlier versions of SQLite can corrupt a write-ahead log that two connections reset at the same time.
const MIN_SQLITE_VERSION: (u32, u32, u32) = (3, 51, 3);
/// Read connections of SQLite, in addition to the one writer.
pub(super) const SQLITE_READERS: u32 = 4;
/// Page cache of each SQLite connection; a negative number is in KiB.
pub(super) const SQLITE_CACHE: &str = "-32000";
/// How long to wait for the write lock of another process.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows that the thread of sqlx reads ahead. A page fits, so that neither thread waits for the other.
const ROW_BUFFER: usize = 512;
/// Maximum connections to PostgreSQL, without those of the log reader.
pub(super) const POSTGRES_CONNECTIONS: u32 = 20;
/// Connections to either database that only the reader of the event log uses.
pub(super) const LOG_CONNECTIONS: u32 = 1;
/// Prepared statements per connection. Statements with a list of values are cached once per length.
pub(super) const STATEMENT_CACHE: usize = 512;
/// How long SQLite executes a statement before it is interrupted.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// How long PostgreSQL executes a statement before it cancels it.
const STATEMENT_TIMEOUT: &str = "5s";
/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long PostgreSQL may take to respond to a ping on an idle connection.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// An idle connection is pinged before its use after this time.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);

/// Replaces, before its next use, every connection that existed when a transaction failed to end. The failed connection
/// cannot be identified here, and failures are too rare for this to matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Replacement(Arc<Mutex<Option<Instant>>>);

impl Replacement {
    pub(super) fn request(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn includes(&self, connection: &PoolConnectionMetadata) -> bool {
        let requested = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requested.is_some_and(|at| at.elapsed() <= connection.age)
    }
}

/// The only connection of SQLite that writes.
pub(super) fn sqlite_writer(
    url: &str,
    replacement: &Replacement,
    deadline: &Deadline,
) -> ConnectOptions {
    sqlite(url, false, replacement, deadline)
}

/// A connection of SQLite that reads. The time of a statement starts when the connection is acquired.
pub(super) fn sqlite_reader(
    url: &str,
    replacement: &Replacement,
    deadline: &Deadline,
) -> ConnectOptions {
    sqlite(url, true, replacement, deadline)
}

fn sqlite(
    url: &str,
    read_only: bool,
    replacement: &Replacement,
    deadline: &Deadline,
) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let (replacement, checked) = (replacement.clone(), deadline.clone());
    let started = read_only.then(|| deadline.clone());
    options
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // NORMAL may lose the last commits on a power failure, but an acknowledged message must be durable.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .statement_cache_capacity(STATEMENT_CACHE)
                .row_buffer_size(ROW_BUFFER)
                .pragma("mmap_size", "0")
                .pragma("cache_size", SQLITE_CACHE)
                // No `optimize`: plans must not depend on statistics, which may be outdated.
                .pragma("temp_store", "memory")
                // A deleted text must not remain in free space of the file.
                .pragma("secure_delete", "1");
            if read_only {
                sqlite.pragma("query_only", "1")
            } else {
                sqlite
            }
        })
        .map_sqlx_sqlite_pool_opts(move |pool| checked.check_on(pool))
        // sqlx still counts a transaction as open when SQLite has rolled it back by itself.
        .map_sqlx_sqlite_before_acquire(move |connection, metadata| {
            let usable = !connection.is_in_transaction() && !replacement.includes(&metadata);
            if let Some(deadline) = &started {
                deadline.start();
            }
            Box::pin(async move { Ok(usable) })
        });
    options
}

pub(super) fn postgres(url: &str, connections: u32, replacement: &Replacement) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let replacement = replacement.clone();
    options
        .max_connections(connections)
        .min_connections(1)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| {
            postgres.statement_cache_capacity(STATEMENT_CACHE).options([
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("idle_in_transaction_session_timeout", "30s"),
                ("timezone", "UTC"),
                // Lists have an index in their order. With the default costs PostgreSQL scans a whole thread in the order
                // of a more compact index and sorts it group by group, although there is only one group.
                ("random_page_cost", "1.1"),
                ("enable_incremental_sort", "off"),
                // The tests check generic plans. With a custom plan, PostgreSQL may estimate that the bounds of a list
                // contain few rows and sort all of them at every use. It also plans every execution again.
                ("plan_cache_mode", "force_generic_plan"),
                // A plan that was made while a table had few rows would read the whole table, and such a plan is kept until
                // the statistics change. Every statement has an index.
                ("enable_seqscan", "off"),
                // No statement runs long enough to benefit from compilation.
                ("jit", "off"),
            ])
        })
        .map_sqlx_postgres_before_acquire(move |connection, metadata| {
            let usable = !connection.is_in_transaction() && !replacement.includes(&metadata);
            Box::pin(async move {
                if !usable {
                    return Ok(false);
                }
                if metadata.idle_for < TRUSTED_IDLE_TIME {
                    return Ok(true);
                }
                is_alive(connection).await
            })
        })
        // After a timeout the connection still waits for the response. The pool would wait until TCP gives up and would
        // lose this connection; after a network failure it would lose all of them. A ping on every release would cost a
        // round trip for a rare failure.
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async move { Ok(!timed_out_recently() || is_alive(connection).await?) })
            })
        });
    options
}

/// Pings the server. An error closes the connection without a Terminate message, which the server might not receive.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(result) => result.map(|()| true),
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
    }
}

pub(super) async fn assert_sqlite_version(db: &DatabaseConnection) -> Result<(), Error> {
    let row = db
        .query_one_raw(Statement::from_string(
            DbBackend::Sqlite,
            "SELECT sqlite_version()",
        ))
        .await?
        .ok_or_else(|| Error::internal("SQLite returned no version"))?;
    let text: String = row.try_get_by_index(0)?;
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < MIN_SQLITE_VERSION {
        return Err(Error::internal(format!(
            "SQLite {text} is too old; use 3.51.3 or later"
        )));
    }
    Ok(())
}
