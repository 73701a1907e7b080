//! Throwing away what nobody needs any more, a little at a time so that nobody waits long.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    db,
    error::Error,
    id::JobId,
    jobs::{Job, row},
};

/// The one job that comes back; it has an id of its own so that no two processes plan it twice.
const ID: JobId = JobId(Uuid::from_u128(1));
/// From one round to the next.
const ROUND: TimeDelta = TimeDelta::days(1);
/// How long after the first start.
const FIRST: TimeDelta = TimeDelta::hours(1);
/// For how long ended sessions can be looked up.
const SESSIONS: TimeDelta = TimeDelta::days(30);
/// For how long finished jobs can be looked up. Failed ones are kept.
const JOBS: TimeDelta = TimeDelta::days(1);
/// Rows deleted by one statement.
const ROWS: u64 = 1000;

/// Plans the first round, unless it is planned already, or failed for good.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let values = &row(ID, &Job::Cleanup, now, now + FIRST)?;
    let text = "INSERT INTO job (id, kind, payload, status, attempts, created_at, run_at)
        VALUES (?, ?, ?, 'QUEUED', 0, ?, ?)
        ON CONFLICT (id) DO UPDATE SET status = 'QUEUED', attempts = 0, run_at = excluded.run_at
        WHERE job.status = 'FAILED'";
    app.db
        .write(|tx| async move { db::execute(&*tx, text, values.clone()).await })
        .await?;
    Ok(())
}

/// One round; tells when the next one is due.
pub(super) async fn run(app: &App) -> Result<DateTime<Utc>, Error> {
    let now = app.clock.now();
    let replay = TimeDelta::from_std(app.config.event_replay).map_err(Error::internal)?;
    sweep(app, "event", "position", "created_at < ?", now - replay).await?;
    sweep(app, "session", "id", "ended_at < ?", now - SESSIONS).await?;
    sweep(app, "session", "id", "expires_at < ?", now - SESSIONS).await?;
    sweep(
        app,
        "job",
        "id",
        "status = 'SUCCEEDED' AND run_at < ?",
        now - JOBS,
    )
    .await?;
    Ok(now + ROUND)
}

/// Deletes rows, a transaction for each thousand.
async fn sweep(
    app: &App,
    table: &str,
    key: &str,
    which: &str,
    before: DateTime<Utc>,
) -> Result<(), Error> {
    let text = &format!(
        "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {which} LIMIT {ROWS})"
    );
    loop {
        let deleted = app
            .db
            .write(|tx| async move { db::execute(&*tx, text, [before.into()]).await })
            .await?;
        if deleted < ROWS {
            return Ok(());
        }
    }
}
