//! The table as a queue: claiming, renewing, finishing. Knows nothing of what the work is.

use std::time::Duration;

use sea_orm::{DbBackend, FromQueryResult, Value};

use crate::{core::Core, db, entity::job, error::Error};

/// How long a claimed job is left alone without a sign of life.
const LEASE: Duration = Duration::from_mins(1);
/// After this many tries a job is kept as failed.
pub const ATTEMPTS_MAX: i32 = 10;
/// The longest pause between two tries.
const BACKOFF_MAX: Duration = Duration::from_hours(1);
/// What of an error is kept.
const ERROR_LENGTH: usize = 500;

/// How often a worker renews its lease.
pub const RENEWAL: Duration = Duration::from_secs(20);

const DUE: &str =
    "((status = 'QUEUED' AND run_at <= ?) OR (status = 'RUNNING' AND leased_until <= ?))";

#[derive(FromQueryResult)]
struct Found {
    #[expect(dead_code, reason = "only whether there is a row matters")]
    found: i32,
}

/// Takes a job that is due and that nobody holds, if there is one.
pub async fn claim(core: &Core) -> Result<Option<job::Model>, Error> {
    let now = core.clock.now();
    // Asked before it is taken: an idle worker must not hold up SQLite's one writer.
    let text = format!("SELECT 1 AS found FROM job WHERE {DUE} LIMIT 1");
    let due: Option<Found> = db::fetch_one(core.db.read(), &text, [now.into(), now.into()]).await?;
    if due.is_none() {
        return Ok(None);
    }
    let skip = match core.db.backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let text = &format!(
        "UPDATE job SET status = 'RUNNING', attempts = attempts + 1, leased_until = ?
         WHERE id = (SELECT id FROM job WHERE {DUE} ORDER BY run_at LIMIT 1 {skip})
         RETURNING *"
    );
    let until = now + LEASE;
    core.db
        .write(|tx| async move {
            let values: [Value; 3] = [until.into(), now.into(), now.into()];
            db::fetch_one(&*tx, text, values).await
        })
        .await
}

/// Keeps a claimed job for longer; false when it was lost to another worker.
pub async fn renew(core: &Core, job: &job::Model) -> Result<bool, Error> {
    let until = core.clock.now() + LEASE;
    change(core, job, "leased_until = ?", vec![until.into()]).await
}

/// Done for good.
pub async fn finish(core: &Core, job: &job::Model) -> Result<bool, Error> {
    let change_to = "status = 'SUCCEEDED', leased_until = NULL, last_error = NULL";
    change(core, job, change_to, vec![]).await
}

/// Done for now: again at this time.
pub async fn repeat(
    core: &Core,
    job: &job::Model,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<bool, Error> {
    let change_to = "status = 'QUEUED', leased_until = NULL, last_error = NULL, attempts = 0,
        run_at = ?";
    change(core, job, change_to, vec![at.into()]).await
}

/// Interrupted through no fault of its own: free for the next worker at once.
pub async fn release(core: &Core, job: &job::Model) -> Result<bool, Error> {
    let change_to = "status = 'QUEUED', leased_until = NULL, attempts = attempts - 1";
    change(core, job, change_to, vec![]).await
}

/// Failed: again after a pause that doubles each time, or never again.
pub async fn fail(core: &Core, job: &job::Model, error: &str) -> Result<bool, Error> {
    let error: String = error.chars().take(ERROR_LENGTH).collect();
    if job.attempts >= ATTEMPTS_MAX {
        let change_to = "status = 'FAILED', leased_until = NULL, last_error = ?";
        return change(core, job, change_to, vec![error.into()]).await;
    }
    let again_at = core.clock.now() + pause(job.attempts);
    let change_to = "status = 'QUEUED', leased_until = NULL, last_error = ?, run_at = ?";
    change(core, job, change_to, vec![error.into(), again_at.into()]).await
}

/// How long to wait after this many failures.
fn pause(failures: i32) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(0).min(16);
    Duration::from_secs(2_u64.pow(doublings)).min(BACKOFF_MAX)
}

/// Changes a job that this worker still holds. The number of the attempt tells its claims apart.
async fn change(
    core: &Core,
    job: &job::Model,
    change_to: &str,
    mut values: Vec<Value>,
) -> Result<bool, Error> {
    let text =
        &format!("UPDATE job SET {change_to} WHERE id = ? AND status = 'RUNNING' AND attempts = ?");
    values.extend([job.id.into(), job.attempts.into()]);
    let values = &values;
    let changed = core
        .db
        .write(|tx| async move { db::execute(&*tx, text, values.clone()).await })
        .await?;
    Ok(changed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        assert_eq!(pause(1), Duration::from_secs(2));
        assert_eq!(pause(5), Duration::from_secs(32));
        assert_eq!(pause(30), BACKOFF_MAX);
    }
}
