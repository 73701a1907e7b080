//! Time limits for database work, and the record of the last timeout.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::query_stats::QueryStats;
use crate::error::{Code, Error};

/// Time limit for a few statements. It exceeds PostgreSQL's own statement timeout, so work that takes longer has lost
/// its connection. TCP would take a quarter of an hour to notice.
const TIMEOUT: Duration = Duration::from_secs(6);
/// Time limit for the lookups of an event's audience: other events wait for them.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit for work that is batched from several operations. Each operation ends before that.
const BATCH_TIMEOUT: Duration = Duration::from_secs(12);
/// How long after a timeout connections are checked before they return to the pool. Statements that were sent before
/// the timeout have ended by then.
const RECHECK_PERIOD: Duration = Duration::from_mins(1);

static LAST_TIMEOUT: Mutex<Option<Instant>> = Mutex::new(None);

/// Records that database work timed out: for a minute, connections are checked before they return to the pool.
pub fn note_timeout() {
    *LAST_TIMEOUT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

pub(super) fn timed_out_recently() -> bool {
    let last = *LAST_TIMEOUT.lock().unwrap_or_else(PoisonError::into_inner);
    last.is_some_and(|at| at.elapsed() < RECHECK_PERIOD)
}

/// Fails with UNAVAILABLE when `work` takes longer than six seconds. For work that no request waits for: a request has
/// its own time limit.
pub async fn with_timeout<T, E: From<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    within(TIMEOUT, work).await
}

/// Fails with UNAVAILABLE when `work` takes longer than a second. For a lookup that is not repeated and for which other
/// work waits.
pub async fn with_lookup_timeout<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    within(LOOKUP_TIMEOUT, work).await
}

/// Fails with UNAVAILABLE when `work` takes longer than twelve seconds. For work on behalf of several requests, which
/// may outlive them.
pub async fn with_batch_timeout<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    within(BATCH_TIMEOUT, work).await
}

async fn within<T, E: From<Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let timed_out = |_| {
        note_timeout();
        let message = "The database does not respond.";
        Err(Error::new(Code::Unavailable, message).into())
    };
    timeout(limit, work).await.unwrap_or_else(timed_out)
}

/// Spawns a task whose statements count towards the current operation, as data loaders need. The task is dropped after
/// twelve seconds, so that it cannot hold a lost connection forever.
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
        Some(stats) => tokio::spawn(stats.measure(work)),
        None => tokio::spawn(work),
    };
}
