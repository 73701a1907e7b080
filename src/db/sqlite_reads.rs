//! Reads list pages from SQLite on the calling thread, with rusqlite. sqlx runs each statement on a separate thread and
//! returns dynamically typed rows that are converted again; for a list page that is a third of the cost.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use rusqlite::{
    Connection, OpenFlags,
    types::{ToSqlOutput, Value as Owned, ValueRef},
};
use sea_orm::{DbErr, Statement, Value, sea_query::Values};
use sqlx::sqlite::SqliteConnectOptions;

use super::{
    options::{SQLITE_CACHE, SQLITE_READERS, STATEMENT_CACHE},
    query_stats,
    row::RowRef,
};

/// Steps of SQLite's virtual machine between two calls of the progress handler.
const STEPS_PER_CALL: i32 = 1000;
/// Calls of the progress handler after which a statement is interrupted: a few milliseconds. The thread serves other
/// tasks too.
const MAX_PROGRESS_CALLS: u32 = 100;

/// A pool of connections for the calling threads. Connections are opened when they are first needed.
#[derive(Clone, Debug)]
pub struct SqliteReads(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    state: Mutex<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    idle: Vec<InlineReader>,
    /// How many more connections may be opened.
    unopened: u32,
}

#[derive(Debug)]
struct InlineReader {
    connection: Connection,
    progress_calls: Arc<AtomicU32>,
}

impl SqliteReads {
    /// Creates a pool for the file of a `sqlite:` URL. Returns `None` if the URL is invalid.
    pub(super) fn new(url: &str) -> Option<Self> {
        let options = SqliteConnectOptions::from_str(url).ok()?;
        let state = PoolState {
            idle: vec![],
            unopened: SQLITE_READERS,
        };
        Some(Self(Arc::new(Pool {
            path: options.get_filename().to_owned(),
            state: Mutex::new(state),
        })))
    }

    /// Returns all rows of a statement. Returns `None` if sqlx must run it: it takes too long, all connections are in use,
    /// or an error occurred, which sqlx then reports.
    pub fn read<T>(
        &self,
        statement: &Statement,
        read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
    ) -> Option<Vec<T>> {
        let started = Instant::now();
        let reader = self.0.acquire()?;
        let outcome = reader.read(statement, read);
        self.0.state().idle.push(reader);
        match outcome {
            Ok(rows) => {
                query_stats::note(&statement.sql, started.elapsed());
                Some(rows)
            }
            Err(error) => {
                tracing::debug!(%error, "a statement falls back to sqlx");
                None
            }
        }
    }

    /// Closes all connections. No more are opened.
    pub(super) fn close(&self) {
        *self.0.state() = PoolState::default();
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquire(&self) -> Option<InlineReader> {
        {
            let mut state = self.state();
            if let Some(reader) = state.idle.pop() {
                return Some(reader);
            }
            state.unopened = state.unopened.checked_sub(1)?;
        }
        match InlineReader::open(&self.path) {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::debug!(%error, "a connection for inline reads cannot be opened");
                self.state().unopened += 1;
                None
            }
        }
    }
}

impl InlineReader {
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        for (pragma, value) in [
            ("query_only", "1"),
            ("mmap_size", "0"),
            ("cache_size", SQLITE_CACHE),
            ("temp_store", "memory"),
        ] {
            connection.pragma_update(None, pragma, value)?;
        }
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        let progress_calls = Arc::<AtomicU32>::default();
        let calls = Arc::clone(&progress_calls);
        let is_too_slow = move || calls.fetch_add(1, Ordering::Relaxed) >= MAX_PROGRESS_CALLS;
        connection.progress_handler(STEPS_PER_CALL, Some(is_too_slow))?;
        Ok(Self {
            connection,
            progress_calls,
        })
    }

    fn read<T>(
        &self,
        statement: &Statement,
        read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, DbErr> {
        self.progress_calls.store(0, Ordering::Relaxed);
        let mut prepared = self
            .connection
            .prepare_cached(&statement.sql)
            .map_err(db_error)?;
        let values = statement.values.iter().flat_map(|Values(values)| values);
        for (position, value) in (1..).zip(values) {
            let bound = to_sql(value).ok_or_else(|| db_error("a value has an unsupported type"))?;
            prepared
                .raw_bind_parameter(position, bound)
                .map_err(db_error)?;
        }
        let mut rows = prepared.raw_query();
        let mut all = vec![];
        while let Some(row) = rows.next().map_err(db_error)? {
            all.push(read(&RowRef::Rusqlite(row))?);
        }
        Ok(all)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "map_err passes the error by value"
)]
fn db_error(error: impl ToString) -> DbErr {
    DbErr::Custom(error.to_string())
}

/// Converts a value as sqlx binds it. Returns `None` for types that no statement uses.
fn to_sql(value: &Value) -> Option<ToSqlOutput<'_>> {
    let borrowed = match value {
        Value::Bool(Some(is)) => ValueRef::Integer(i64::from(*is)),
        Value::Int(Some(number)) => ValueRef::Integer(i64::from(*number)),
        Value::BigInt(Some(number)) => ValueRef::Integer(*number),
        Value::BigUnsigned(Some(number)) => ValueRef::Integer(i64::try_from(*number).ok()?),
        Value::String(Some(text)) => ValueRef::Text(text.as_bytes()),
        Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
        Value::Uuid(Some(id)) => ValueRef::Blob(id.as_bytes()),
        Value::ChronoDateTimeUtc(Some(time)) => {
            let text = time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false);
            return Some(ToSqlOutput::Owned(Owned::Text(text)));
        }
        value if *value == value.as_null() => ValueRef::Null,
        _ => return None,
    };
    Some(ToSqlOutput::Borrowed(borrowed))
}
