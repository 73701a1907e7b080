//! The workers of this process: each claims what is due, one job at a time, until it is told to stop.

mod cleanup;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    app::App,
    db::with_timeout,
    domain::{conversations, notifications},
    entity::job,
    error::Error,
    jobs::{Job, queue},
};

/// Jobs that one process works on at once.
const WORKERS: usize = 2;
/// How often to look for work that nobody rang for: other processes, retries, lapsed leases.
const POLL: Duration = Duration::from_secs(1);

/// Starts this process's workers. They end with `app.shutdown`.
pub fn start(app: &App) {
    for _ in 0..WORKERS {
        let app = app.clone();
        app.tasks.clone().spawn(async move { work(&app).await });
    }
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        if let Err(error) = cleanup::ensure(&app).await {
            tracing::error!(%error, "housekeeping cannot be planned");
        }
    });
}

async fn work(app: &App) {
    while !app.shutdown.is_cancelled() {
        match with_timeout(queue::claim(app)).await {
            Ok(Some(job)) => {
                if let Err(error) = attempt(app, &job).await {
                    // The lease lapses, and then somebody tries again.
                    tracing::error!(job.id = %job.id, job.kind, %error, "a job is left hanging");
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "jobs cannot be claimed"),
        }
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = app.db.job_wakeup().notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// What becomes of a job.
enum Outcome {
    Done,
    Again(DateTime<Utc>),
    Failed(Error),
    Interrupted,
    Lost,
}

async fn attempt(app: &App, job: &job::Model) -> Result<(), Error> {
    let outcome = outcome(app, job).await;
    if !with_timeout(settle(app, job, outcome)).await? {
        tracing::warn!(job.id = %job.id, job.kind, "a job was lost to another worker");
    }
    Ok(())
}

/// Notes what became of a job; false when it was not ours any more.
async fn settle(app: &App, job: &job::Model, outcome: Outcome) -> Result<bool, Error> {
    Ok(match outcome {
        Outcome::Done => queue::finish(app, job).await?,
        Outcome::Again(at) => queue::repeat(app, job, at).await?,
        Outcome::Failed(error) => {
            tracing::warn!(job.id = %job.id, job.kind, job.attempts, %error, "a job failed");
            queue::fail(app, job, &error.to_string()).await?
        }
        Outcome::Interrupted => queue::release(app, job).await?,
        Outcome::Lost => false,
    })
}

/// Does the work, renewing the lease meanwhile. Work that is dropped half way undoes its transaction.
async fn outcome(app: &App, job: &job::Model) -> Outcome {
    if job.attempts > queue::ATTEMPTS_MAX {
        return Outcome::Failed(Error::internal("its workers died"));
    }
    let doing = perform(app, job);
    tokio::pin!(doing);
    loop {
        tokio::select! {
            done = &mut doing => return match done {
                Ok(None) => Outcome::Done,
                Ok(Some(at)) => Outcome::Again(at),
                Err(error) => Outcome::Failed(error),
            },
            () = app.shutdown.cancelled() => return Outcome::Interrupted,
            () = tokio::time::sleep(queue::RENEWAL) => match with_timeout(queue::renew(app, job)).await {
                Ok(true) => {}
                Ok(false) => return Outcome::Lost,
                Err(error) => tracing::warn!(%error, "a lease cannot be renewed"),
            },
        }
    }
}

/// Does a job's work; tells when it is to be done again, if it is.
async fn perform(app: &App, job: &job::Model) -> Result<Option<DateTime<Utc>>, Error> {
    match serde_json::from_str(&job.payload).map_err(Error::internal)? {
        Job::NotifyOfMessage { message } => {
            notifications::notify_of_message(app, message).await?;
            Ok(None)
        }
        Job::EraseConversation { conversation } => {
            conversations::erase(app, conversation).await?;
            Ok(None)
        }
        Job::Cleanup => cleanup::run(app).await.map(Some),
    }
}
