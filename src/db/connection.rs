//! The connected database: one writer and several readers on SQLite, one pool on PostgreSQL, and the wake-ups that
//! follow a commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    deadline::Deadline,
    failure,
    options::{
        BUSY_TIMEOUT, LOG_CONNECTIONS, POSTGRES_CONNECTIONS, Replacement, SQLITE_READERS,
        assert_sqlite_version, postgres, sqlite_writer,
    },
    query_stats::with_stats,
    read_connections::ReadConnections,
    reader::Reader,
    shares::{DatabaseShare, Shares},
};
use crate::error::Error;

/// How long a checkpoint of SQLite waits for readers.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_millis(50);

/// A connected database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pub(super) writer: DatabaseConnection,
    /// The deadline of the writer's statements on SQLite.
    pub(super) deadline: Deadline,
    reader: Reader,
    /// Used by the reader of the event log only, so that it never waits for other work.
    log_reader: Reader,
    shares: Shares,
    pub(super) replacement: Replacement,
    /// Counts commits of this process that wrote events.
    wakeups: Arc<watch::Sender<u64>>,
    /// Counts commits of this process that changed ephemeral state: presence and typing.
    ephemeral_wakeups: Arc<watch::Sender<u64>>,
    job_wakeup: Arc<Notify>,
    /// Wakes up the worker that removes deleted texts from the write-ahead log.
    erasure_wakeup: Arc<Notify>,
    /// Whether a write transaction failed because the disk is full or broken, and nothing has been verified since.
    disk_failed: Arc<AtomicBool>,
    /// Counts changes that may have ended sessions. Sessions that were cached at an earlier count are loaded again.
    session_endings: Arc<AtomicU64>,
}

/// Which component a commit wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wakeup {
    /// Subscribers of the event log.
    Events,
    /// Subscribers of presence and typing.
    Ephemeral,
    Workers,
    Sessions,
    Erasures,
}

impl Db {
    /// Connects to `sqlite:PATH` or `postgres://…`. Creates a missing SQLite file. Fails with a
    /// [`DatabaseFailure`](failure::DatabaseFailure) if the database cannot be used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        failure::check(url).await?;
        let replacement = Replacement::default();
        let deadline = Deadline::default();
        let (writer, reader, log_reader) = if url.starts_with("sqlite:") {
            let writer = sqlite_writer(url, &replacement, &deadline);
            let writer = Database::connect(writer).await?;
            assert_sqlite_version(&writer).await?;
            let readers = ReadConnections::connect(url, SQLITE_READERS, &replacement).await?;
            let log_reader = ReadConnections::connect(url, LOG_CONNECTIONS, &replacement).await?;
            let (reader, log_reader) = (Reader::sqlite(readers), Reader::sqlite(log_reader));
            (with_stats(writer), reader, log_reader)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let connect = async |connections| {
                let options = postgres(url, connections, &replacement);
                Ok::<_, Error>(with_stats(Database::connect(options).await?))
            };
            let pool = connect(POSTGRES_CONNECTIONS).await?;
            let log_reader = Reader::postgres(connect(LOG_CONNECTIONS).await?);
            (pool.clone(), Reader::postgres(pool), log_reader)
        } else {
            let message = "The database URL begins with neither `sqlite:` nor `postgres:`.";
            return Err(Error::internal(message));
        };
        Ok(Self {
            shares: Shares::of(match writer.get_database_backend() {
                DbBackend::Sqlite => SQLITE_READERS,
                _ => POSTGRES_CONNECTIONS,
            }),
            writer,
            deadline,
            reader,
            log_reader,
            replacement,
            wakeups: Arc::new(watch::Sender::new(0)),
            ephemeral_wakeups: Arc::new(watch::Sender::new(0)),
            job_wakeup: Arc::new(Notify::new()),
            erasure_wakeup: Arc::new(Notify::new()),
            disk_failed: Arc::default(),
            session_endings: Arc::default(),
        })
    }

    /// On SQLite, reads pages of lists on the calling thread. The rows are the same.
    #[must_use]
    pub fn with_inline_reads(mut self, url: &str) -> Self {
        self.reader = self.reader.inline_reads(url);
        self
    }

    /// Whether this is SQLite or PostgreSQL.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// The connections for reading. On SQLite they cannot write.
    #[must_use]
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// The connection of the reader of the event log.
    #[must_use]
    pub fn log_reader(&self) -> &Reader {
        &self.log_reader
    }

    /// What an owner of operations may use of the database at a time.
    #[must_use]
    pub fn share(&self, owner: Uuid) -> Arc<DatabaseShare> {
        self.shares.get(owner)
    }

    /// The connection for migrations.
    #[must_use]
    pub fn migrate(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Changes after every commit of this process that wrote events.
    #[must_use]
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        self.wakeups.subscribe()
    }

    /// Changes after every commit of this process that changed presence or typing.
    #[must_use]
    pub fn ephemeral_wakeups(&self) -> watch::Receiver<u64> {
        self.ephemeral_wakeups.subscribe()
    }

    /// Wakes up one waiter after every commit of this process that added a job.
    #[must_use]
    pub fn job_wakeup(&self) -> &Notify {
        &self.job_wakeup
    }

    /// Wakes up one waiter after every commit of this process that deleted texts.
    #[must_use]
    pub fn erasure_wakeup(&self) -> &Notify {
        &self.erasure_wakeup
    }

    /// Whether a write transaction failed because the disk is full or broken. A later one that succeeds proves nothing,
    /// because it may have had nothing to write: a probe has to clear this with [`Db::note_disk`].
    #[must_use]
    pub fn disk_failed(&self) -> bool {
        self.disk_failed.load(Ordering::Acquire)
    }

    /// Records whether the disk can be written.
    pub fn note_disk(&self, failed: bool) {
        self.disk_failed.store(failed, Ordering::Release);
    }

    /// Empties the write-ahead log of SQLite, which contains earlier versions of pages. Returns whether it is empty: a
    /// reader may still use it. PostgreSQL's vacuum needs no help.
    pub async fn truncate_log(&self) -> Result<bool, Error> {
        if self.backend() != DbBackend::Sqlite {
            return Ok(true);
        }
        // The checkpoint waits for readers, and all writes wait for the checkpoint: only for a moment.
        let statement = format!(
            "PRAGMA busy_timeout = {}; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = {}",
            CHECKPOINT_TIMEOUT.as_millis(),
            BUSY_TIMEOUT.as_millis()
        );
        let statement = Statement::from_string(DbBackend::Sqlite, statement);
        let rows = self.writer.query_all_raw(statement).await?;
        let is_busy = rows.iter().find_map(|row| row.try_get("", "busy").ok());
        Ok(is_busy == Some(0))
    }

    /// How many session endings this process knows of.
    #[must_use]
    pub fn session_endings(&self) -> u64 {
        self.session_endings.load(Ordering::Acquire)
    }

    /// Records that sessions ended, on this node or on another one.
    pub fn note_session_endings(&self) {
        self.session_endings.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn notify(&self, wakeup: Wakeup) {
        let count = |count: &mut u64| *count = count.wrapping_add(1);
        match wakeup {
            Wakeup::Events => self.wakeups.send_modify(count),
            Wakeup::Ephemeral => self.ephemeral_wakeups.send_modify(count),
            Wakeup::Workers => self.job_wakeup.notify_one(),
            Wakeup::Sessions => self.note_session_endings(),
            Wakeup::Erasures => self.erasure_wakeup.notify_one(),
        }
    }

    /// Closes every connection. SQLite then merges the write-ahead log into the database file.
    pub async fn close(self) -> Result<(), Error> {
        self.reader.close().await?;
        self.log_reader.close().await?;
        self.writer.close().await?;
        Ok(())
    }
}
