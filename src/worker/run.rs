//! Claims jobs, performs them and stores their outcome.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{cleanup, erasure, perform::perform};
use crate::{app::App, db::with_timeout, entity::job, error::Error, jobs::queue};

/// The number of jobs that one process performs concurrently.
const WORKERS: usize = 2;
/// How often a worker polls for jobs without a wake-up: those of other processes, retries and expired leases.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Starts the workers of this process. They stop at `app.shutdown`.
pub fn start(app: &App) {
    for _ in 0..WORKERS {
        let app = app.clone();
        app.tasks.clone().spawn(async move { run(&app).await });
    }
    let erasing = app.clone();
    app.tasks
        .clone()
        .spawn(async move { erasure::run(&erasing).await });
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        if let Err(error) = cleanup::ensure(&app).await {
            tracing::error!(%error, "the cleanup jobs could not be enqueued");
        }
    });
}

async fn run(app: &App) {
    while !app.shutdown.is_cancelled() {
        match with_timeout(queue::claim(app)).await {
            Ok(Some(job)) => {
                if let Err(error) = attempt(app, &job).await {
                    // The lease expires, and then a worker tries again.
                    tracing::error!(job.id = %job.id, job.kind, %error, "the outcome of a job could not be stored");
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "jobs could not be claimed"),
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.db.job_wakeup().notified() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// The outcome of an attempt.
enum Outcome {
    Succeeded,
    Repeat(DateTime<Utc>),
    Failed(Error),
    Interrupted,
    ClaimedElsewhere,
}

async fn attempt(app: &App, job: &job::Model) -> Result<(), Error> {
    let outcome = outcome(app, job).await;
    if !with_timeout(store(app, job, outcome)).await? {
        tracing::warn!(job.id = %job.id, job.kind, "a job was claimed by another worker");
    }
    Ok(())
}

/// Stores the outcome of a job. Returns false if another worker has claimed it.
async fn store(app: &App, job: &job::Model, outcome: Outcome) -> Result<bool, Error> {
    Ok(match outcome {
        Outcome::Succeeded => queue::finish(app, job).await?,
        Outcome::Repeat(at) => queue::repeat(app, job, at).await?,
        Outcome::Failed(error) => {
            if job.attempts < queue::ATTEMPTS_MAX {
                tracing::warn!(job.id = %job.id, job.kind, job.attempts, %error, "a job failed and is repeated");
            } else {
                tracing::error!(
                    job.id = %job.id, job.kind, job.attempts, %error,
                    "a job failed for the last time; `heddle admin retry-jobs` repeats it"
                );
            }
            queue::fail(app, job, &error.to_string()).await?
        }
        Outcome::Interrupted => queue::release(app, job).await?,
        Outcome::ClaimedElsewhere => false,
    })
}

/// Performs a job and renews its lease meanwhile. When the future is dropped, its transaction is rolled back.
async fn outcome(app: &App, job: &job::Model) -> Outcome {
    if job.attempts > queue::ATTEMPTS_MAX {
        return Outcome::Failed(Error::internal(
            "the process of each attempt ended before the job did",
        ));
    }
    let performing = perform(app, job);
    tokio::pin!(performing);
    loop {
        tokio::select! {
            result = &mut performing => return match result {
                Ok(None) => Outcome::Succeeded,
                Ok(Some(at)) => Outcome::Repeat(at),
                Err(error) => Outcome::Failed(error),
            },
            () = app.shutdown.cancelled() => return Outcome::Interrupted,
            () = tokio::time::sleep(queue::RENEWAL_INTERVAL) => match with_timeout(queue::renew(app, job)).await {
                Ok(true) => {}
                Ok(false) => return Outcome::ClaimedElsewhere,
                Err(error) => tracing::warn!(%error, "the lease of a job could not be renewed"),
            },
        }
    }
}
