//! Counts the statements of an operation and the time that it waits for them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::DatabaseConnection;
use tokio::sync::OwnedSemaphorePermit;

use super::shares::DatabaseShare;

/// The log target of statements.
const LOG_TARGET: &str = "heddle::sql";

tokio::task_local! {
    static QUERY_STATS: Arc<QueryStats>;
}

/// Statements and database time of one operation.
#[derive(Debug, Default)]
pub struct QueryStats {
    statements: AtomicU32,
    micros: AtomicU64,
    share: Option<Arc<DatabaseShare>>,
}

impl QueryStats {
    /// Statistics of an operation that uses no more of the database than this share.
    #[must_use]
    pub fn within(share: Option<Arc<DatabaseShare>>) -> Self {
        Self {
            share,
            ..Self::default()
        }
    }

    /// Statements run so far.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Time spent waiting for the database so far.
    pub fn time(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    /// Attributes the statements of a batch to its operations. The statements are divided, so that their sum stays the
    /// same. The time is added to each operation, because each of them waited for it.
    pub fn share<'a>(&self, operations: impl ExactSizeIterator<Item = Option<&'a Self>>) {
        let Ok(count) = u32::try_from(operations.len()) else {
            return;
        };
        for (index, operation) in (0..count).zip(operations) {
            if let Some(operation) = operation {
                let rest = u32::from(index < self.statements() % count);
                operation.count(self.statements() / count + rest, self.time());
            }
        }
    }

    fn count(&self, statements: u32, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.statements.fetch_add(statements, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Runs `work` and counts its statements.
    pub fn measure<F: Future>(self: Arc<Self>, work: F) -> impl Future<Output = F::Output> {
        QUERY_STATS.scope(self, work)
    }

    /// Waits until the owner of the current operation may run one more statement that reads. None without an owner.
    pub(super) async fn read_permit() -> Option<OwnedSemaphorePermit> {
        Self::share_of_owner()?.read_permit().await
    }

    /// Waits until the owner of the current operation may run one more transaction. None without an owner.
    pub(super) async fn transaction_permit() -> Option<OwnedSemaphorePermit> {
        Self::share_of_owner()?.transaction_permit().await
    }

    fn share_of_owner() -> Option<Arc<DatabaseShare>> {
        QUERY_STATS.try_with(|stats| stats.share.clone()).ok()?
    }

    /// Returns the statistics of the operation that this task belongs to.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        QUERY_STATS.try_with(Arc::clone).ok()
    }
}

pub(super) fn with_stats(mut connection: DatabaseConnection) -> DatabaseConnection {
    connection.set_metric_callback(|info| note(&info.statement.sql, info.elapsed));
    connection
}

/// Records a statement.
pub(super) fn note(text: &str, elapsed: Duration) {
    // Only the text: values contain what users wrote.
    tracing::trace!(target: LOG_TARGET, text);
    // Background work has no operation and is not counted.
    let _ = QUERY_STATS.try_with(|stats| stats.count(1, elapsed));
}
