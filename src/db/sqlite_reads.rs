//! Reading on the thread that asks. SQLite has no server: its driver gives each statement to a thread of its own and
//! hands back rows of values that it made for nobody in particular, which for a page of a list is much of the work. No
//! rules.

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
    options::{SQLITE_CACHE, SQLITE_READERS, STATEMENTS},
    query_stats,
    row::RowRef,
};

/// Steps of SQLite's machine between two looks at how long it takes.
const STEPS: i32 = 1000;
/// Looks after which it is given up: some milliseconds. The thread has others to serve.
const LOOKS: u32 = 100;

/// Connections of which every thread uses one at a time, opened when they are first needed.
#[derive(Clone, Debug)]
pub struct SqliteReads(Arc<Lane>);

#[derive(Debug)]
struct Lane {
    path: PathBuf,
    spare: Mutex<Spare>,
}

#[derive(Debug, Default)]
struct Spare {
    idle: Vec<Reader>,
    /// How many more may be opened.
    more: u32,
}

#[derive(Debug)]
struct Reader {
    connection: Connection,
    looks: Arc<AtomicU32>,
}

impl SqliteReads {
    /// For the file that a `sqlite:` address names.
    pub(super) fn of(url: &str) -> Option<Self> {
        let options = SqliteConnectOptions::from_str(url).ok()?;
        let spare = Spare {
            idle: vec![],
            more: SQLITE_READERS,
        };
        Some(Self(Arc::new(Lane {
            path: options.get_filename().to_owned(),
            spare: Mutex::new(spare),
        })))
    }

    /// All rows of a statement; none when that is to be asked in the ordinary way: it takes long, everybody else reads,
    /// or something is not as it should be, which the ordinary way will tell.
    pub fn read<T>(
        &self,
        statement: &Statement,
        read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
    ) -> Option<Vec<T>> {
        let started = Instant::now();
        let reader = self.0.take()?;
        let outcome = reader.read(statement, read);
        self.0.spare().idle.push(reader);
        match outcome {
            Ok(rows) => {
                query_stats::note(&statement.sql, started.elapsed());
                Some(rows)
            }
            Err(error) => {
                tracing::debug!(%error, "a statement is not read in place");
                None
            }
        }
    }

    /// Closes all connections, and opens none any more.
    pub(super) fn close(&self) {
        *self.0.spare() = Spare::default();
    }
}

impl Lane {
    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Reader> {
        {
            let mut spare = self.spare();
            if let Some(reader) = spare.idle.pop() {
                return Some(reader);
            }
            spare.more = spare.more.checked_sub(1)?;
        }
        match Reader::open(&self.path) {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::debug!(%error, "the database cannot be read in place");
                self.spare().more += 1;
                None
            }
        }
    }
}

impl Reader {
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
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let looks = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&looks);
        let takes_long = move || counted.fetch_add(1, Ordering::Relaxed) >= LOOKS;
        connection.progress_handler(STEPS, Some(takes_long))?;
        Ok(Self { connection, looks })
    }

    fn read<T>(
        &self,
        statement: &Statement,
        read: impl Fn(&RowRef<'_>) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, DbErr> {
        self.looks.store(0, Ordering::Relaxed);
        let mut prepared = self
            .connection
            .prepare_cached(&statement.sql)
            .map_err(not)?;
        let values = statement.values.iter().flat_map(|Values(values)| values);
        for (place, value) in (1..).zip(values) {
            let bound = bound(value).ok_or_else(|| not("a value that is not bound here"))?;
            prepared.raw_bind_parameter(place, bound).map_err(not)?;
        }
        let mut rows = prepared.raw_query();
        let mut all = vec![];
        while let Some(row) = rows.next().map_err(not)? {
            all.push(read(&RowRef::SqliteReads(row))?);
        }
        Ok(all)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what map_err hands over"
)]
fn not(error: impl ToString) -> DbErr {
    DbErr::Custom(error.to_string())
}

/// A value as the ordinary driver binds it; none for what no statement of ours binds.
fn bound(value: &Value) -> Option<ToSqlOutput<'_>> {
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
