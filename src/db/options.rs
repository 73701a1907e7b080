//! How connections to either database are made and kept. Runs nothing of anybody's.

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

use super::timeout::timed_out_recently;
use crate::error::Error;

/// SQLite before this version can corrupt a write-ahead log that two connections reset at once.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// Readers beside SQLite's one writer.
pub(super) const SQLITE_READERS: u32 = 4;
/// How much of SQLite's file each connection keeps: so many KiB.
pub(super) const SQLITE_CACHE: &str = "-32000";
/// How long a writer of another process may hold SQLite's file before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows that SQLite's thread may be ahead of whoever reads them: a page, without waiting for each other.
const ROWS: usize = 512;
/// Connections to PostgreSQL.
const POSTGRES_CONNECTIONS: u32 = 20;
/// Statements that a connection keeps prepared: those about many come in several lengths.
pub(super) const STATEMENTS: usize = 512;
/// How long PostgreSQL works on one statement before it stops it.
const STATEMENT_TIMEOUT: &str = "5s";
/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long PostgreSQL may take for a sign of life on a connection that it does nothing on.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection that nobody uses is believed to be good.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);

/// Replaces every connection that existed when a transaction failed to end, before its next use. Which of them it was
/// cannot be seen from here, and it happens too rarely to matter.
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

pub(super) fn sqlite(
    url: &str,
    connections: u32,
    read_only: bool,
    replacement: &Replacement,
) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let replacement = replacement.clone();
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // NORMAL may lose the last commits when the power goes: an acknowledged message is
                // on the disk.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .statement_cache_capacity(STATEMENTS)
                .row_buffer_size(ROWS)
                .pragma("mmap_size", "0")
                .pragma("cache_size", SQLITE_CACHE)
                // No `optimize`: plans are made without statistics, which would be those of some earlier time.
                .pragma("temp_store", "memory");
            if read_only {
                sqlite.pragma("query_only", "1")
            } else {
                sqlite
            }
        })
        // sqlx believes that a transaction is open when SQLite has ended it by itself.
        .map_sqlx_sqlite_before_acquire(move |connection, kept| {
            let usable = !connection.is_in_transaction() && !replacement.includes(&kept);
            Box::pin(async move { Ok(usable) })
        });
    options
}

pub(super) fn postgres(url: &str, replacement: &Replacement) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let replacement = replacement.clone();
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .min_connections(1)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| {
            postgres.statement_cache_capacity(STATEMENTS).options([
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("idle_in_transaction_session_timeout", "30s"),
                ("timezone", "UTC"),
                // Lists are read in the order of an index that was made for them. PostgreSQL would rather walk through
                // all of a thread in the order of another, which lies closer together, and sort it group by group:
                // there is one group.
                ("random_page_cost", "1.1"),
                ("enable_incremental_sort", "off"),
                // What is tested is what it plans without values. With values it may take a list's bounds for a few rows
                // and sort all that is between them, at each use: it found that cheaper, and plans anew each time.
                ("plan_cache_mode", "force_generic_plan"),
                // Nothing here runs long enough to be worth compiling.
                ("jit", "off"),
            ])
        })
        .map_sqlx_postgres_before_acquire(move |connection, kept| {
            let usable = !connection.is_in_transaction() && !replacement.includes(&kept);
            Box::pin(async move {
                if !usable {
                    return Ok(false);
                }
                if kept.idle_for < TRUSTED_IDLE_TIME {
                    return Ok(true);
                }
                is_alive(connection).await
            })
        })
        // Whoever gave a statement up leaves its connection waiting for the answer. The pool would wait as well, for as
        // long as TCP hopes, and be short of one connection: after a network that swallows packets, of all. A round
        // trip for each use of a connection is too much for what hardly ever happens.
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async move { Ok(!timed_out_recently() || is_alive(connection).await?) })
            })
        });
    options
}

/// Whether there is still somebody at the other end. An error closes the connection without a farewell, which nobody
/// might hear.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(answered) => answered.map(|()| true),
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
        .ok_or_else(|| Error::internal("SQLite does not tell its version"))?;
    let text: String = row.try_get_by_index(0)?;
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(Error::internal(format!(
            "SQLite {text} is too old: 3.51.3 is the oldest safe one"
        )));
    }
    Ok(())
}
