//! The deadline of the statement that a connection of SQLite runs. PostgreSQL has its own statement timeout.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{SqliteConnection, sqlite::SqlitePoolOptions};

/// Steps of SQLite's virtual machine between two checks of the deadline: less than a millisecond.
const STEPS_PER_CHECK: i32 = 10_000;
/// No deadline.
const NONE: u64 = u64::MAX;

/// The origin of all deadlines.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When the statement of one connection is interrupted. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Deadline(Arc<Times>);

/// In milliseconds.
#[derive(Debug)]
struct Times {
    /// How long the next statement may take.
    limit: AtomicU64,
    /// When the running statement is interrupted, after the origin.
    end: AtomicU64,
}

impl Default for Deadline {
    fn default() -> Self {
        Self(Arc::new(Times {
            limit: AtomicU64::new(NONE),
            end: AtomicU64::new(NONE),
        }))
    }
}

impl Deadline {
    /// Sets how long the next statement may take.
    pub(super) fn limit(&self, limit: Option<Duration>) {
        let millis = limit.and_then(|limit| u64::try_from(limit.as_millis()).ok());
        self.0
            .limit
            .store(millis.unwrap_or(NONE), Ordering::Release);
    }

    /// Starts the time of a statement.
    pub(super) fn start(&self) {
        let limit = self.0.limit.load(Ordering::Acquire);
        self.0
            .end
            .store(now().saturating_add(limit), Ordering::Release);
    }

    /// Interrupts the running statement.
    pub(super) fn expire(&self) {
        self.0.end.store(0, Ordering::Release);
    }

    /// Lets the statements of the connection run to their end.
    pub(super) fn clear(&self) {
        self.0.end.store(NONE, Ordering::Release);
    }

    fn has_passed(&self) -> bool {
        let end = self.0.end.load(Ordering::Acquire);
        end != NONE && end <= now()
    }

    /// Checks the deadline on every connection of a pool.
    pub(super) fn check_on(&self, pool: SqlitePoolOptions) -> SqlitePoolOptions {
        let deadline = self.clone();
        pool.after_connect(move |connection, _| {
            let deadline = deadline.clone();
            Box::pin(async move { deadline.check_in(connection).await })
        })
    }

    async fn check_in(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        // A new connection is used without another start.
        self.start();
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS_PER_CHECK, move || !self.has_passed());
        Ok(())
    }
}

fn now() -> u64 {
    u64::try_from(ORIGIN.elapsed().as_millis()).unwrap_or(NONE - 1)
}
