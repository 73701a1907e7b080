//! Write transactions: retried after a serialisation failure; wake-ups are sent only after the commit.

use std::{
    future::Future,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use super::{
    connection::{Db, Wakeup},
    deadline::Deadline,
    options::STATEMENT_LIMIT,
    query_stats::QueryStats,
    reader::PageSource,
};
use crate::error::Error;

/// How long a statement may take in a transaction that changes many rows.
const EXTENDED_TIMEOUT: Duration = Duration::from_mins(5);
/// How often a transaction is retried after a serialisation failure or a deadlock.
const RETRIES: u32 = 5;

/// An open write transaction.
#[derive(Debug)]
pub struct Tx {
    inner: DatabaseTransaction,
    /// When SQLite interrupts a statement.
    deadline: Deadline,
    /// Whether a statement has failed or was cancelled. The transaction then executes nothing more and cannot be
    /// committed.
    failed: AtomicBool,
    wakeups: Mutex<Vec<Wakeup>>,
}

impl Tx {
    /// Wakes up event subscribers after the commit, because this transaction wrote an event.
    pub fn notify_on_commit(&self) {
        self.add_wakeup(Wakeup::Events);
    }

    /// Wakes up subscribers of presence and typing after the commit.
    pub fn notify_ephemeral_on_commit(&self) {
        self.add_wakeup(Wakeup::Ephemeral);
    }

    /// Wakes up a worker after the commit, because this transaction added a job.
    pub fn wake_worker_on_commit(&self) {
        self.add_wakeup(Wakeup::Workers);
    }

    /// Invalidates cached sessions after the commit, because this transaction ends some.
    pub fn invalidate_sessions_on_commit(&self) {
        self.add_wakeup(Wakeup::Sessions);
    }

    /// Removes the texts that this transaction deletes from the write-ahead log, soon after the commit.
    pub fn erase_on_commit(&self) {
        self.add_wakeup(Wakeup::Erasures);
    }

    /// Raises the time limit of this transaction's statements from that of a request to five minutes.
    pub async fn extend_timeout(&self) -> Result<(), Error> {
        self.set_timeout(Some(EXTENDED_TIMEOUT)).await
    }

    /// Removes the time limit of this transaction's statements. For commands of an operator.
    pub async fn lift_timeout(&self) -> Result<(), Error> {
        self.set_timeout(None).await
    }

    async fn set_timeout(&self, limit: Option<Duration>) -> Result<(), Error> {
        self.deadline.limit(limit);
        if self.get_database_backend() == DbBackend::Postgres {
            let millis = limit.map_or(0, |limit| limit.as_millis());
            let text = format!("SET LOCAL statement_timeout = {millis}");
            self.execute_unprepared(&text).await?;
        }
        Ok(())
    }

    /// Runs a statement, unless an earlier one has failed. PostgreSQL rejects such a statement, but its response to
    /// COMMIT is a rollback that looks like success. SQLite may have rolled back by itself, and would run the
    /// statement outside any transaction.
    async fn execute<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        if self.failed.load(Ordering::Acquire) {
            let message = "an earlier statement of this transaction has failed";
            return Err(DbErr::Custom(message.to_owned()));
        }
        let unfinished = OnDrop(|| self.failed.store(true, Ordering::Release));
        self.deadline.start();
        let result = statement.await;
        self.deadline.clear();
        if result.is_ok() {
            mem::forget(unfinished);
        }
        result
    }

    fn add_wakeup(&self, wakeup: Wakeup) {
        let mut wakeups = self.wakeups.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakeups.contains(&wakeup) {
            wakeups.push(wakeup);
        }
    }
}

/// Runs a function when it is dropped, unless it is forgotten first: the work that it guards failed or was cancelled.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Db {
    /// Runs `work` in one transaction. Commits when it succeeds and rolls back when it fails. Runs it again from the
    /// start when the database reports a serialisation failure or a deadlock.
    pub async fn write<T, F, Fut>(&self, mut work: F) -> Result<T, Error>
    where
        F: FnMut(Arc<Tx>) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let mut attempt = 0;
        loop {
            match self.attempt(&mut work).await {
                Err(error) if attempt < RETRIES && is_retryable(&error) => attempt += 1,
                outcome => {
                    if outcome.as_ref().is_err_and(Error::is_disk_failure) {
                        self.note_disk(true);
                    }
                    return outcome;
                }
            }
        }
    }

    async fn attempt<T, F, Fut>(&self, work: &mut F) -> Result<T, Error>
    where
        F: FnMut(Arc<Tx>) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        // A deferred SQLite transaction that reads and then writes fails immediately when another transaction wrote
        // meanwhile; an immediate one waits for the lock.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let _permit = QueryStats::transaction_permit().await;
        let inner = self.begin(options).await?;
        self.deadline.limit(Some(STATEMENT_LIMIT));
        let tx = Arc::new(Tx {
            inner,
            deadline: self.deadline.clone(),
            failed: AtomicBool::new(false),
            wakeups: Mutex::default(),
        });
        let outcome = work(Arc::clone(&tx)).await;
        let Some(tx) = Arc::into_inner(tx) else {
            return Err(Error::internal("a transaction outlived its work"));
        };
        let value = match outcome {
            Ok(_) if tx.failed.into_inner() => {
                self.end(tx.inner.rollback()).await?;
                let message =
                    "the error of a statement was ignored, so its transaction is rolled back";
                return Err(Error::internal(message));
            }
            Ok(value) => value,
            Err(error) => {
                if let Err(rollback) = self.end(tx.inner.rollback()).await {
                    // The first error is the cause; a lost connection rolls back by itself.
                    tracing::debug!(error = %rollback, "a transaction could not be rolled back");
                }
                return Err(error);
            }
        };
        self.end(tx.inner.commit()).await?;
        let wakeups = tx
            .wakeups
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        for wakeup in wakeups {
            self.notify(wakeup);
        }
        Ok(value)
    }

    async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, Error> {
        let result = self.writer.begin_with_options(options).await;
        // A connection on which BEGIN failed may still be in a transaction that nothing will end.
        if matches!(result, Err(DbErr::Exec(_) | DbErr::Query(_))) {
            self.replacement.request();
        }
        Ok(result?)
    }

    /// Ends a transaction by COMMIT or ROLLBACK. When that fails or is cancelled, the state of the connection is unknown.
    /// SQLite has often rolled back by itself while sqlx still counts an open transaction. On such a connection
    /// the next BEGIN would become a savepoint, and no later COMMIT would reach the disk.
    async fn end(&self, end: impl Future<Output = Result<(), DbErr>>) -> Result<(), Error> {
        let unconfirmed = OnDrop(|| self.replacement.request());
        end.await?;
        mem::forget(unconfirmed);
        Ok(())
    }
}

fn is_retryable(error: &Error) -> bool {
    // 40001 serialization_failure, 40P01 deadlock_detected (PostgreSQL manual, appendix A).
    let Some(cause) = error.cause() else {
        return false;
    };
    let text = cause.to_string();
    text.contains("could not serialize access") || text.contains("deadlock detected")
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.execute(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        self.execute(self.inner.execute_unprepared(text)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.execute(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.execute(self.inner.query_all_raw(statement)).await
    }
}

impl PageSource for Tx {}
