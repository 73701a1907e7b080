//! The queue: claims, renews and finishes jobs. Does not know what a job does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set,
    sea_query::{Expr, LockBehavior, LockType, SubQueryStatement},
};

use crate::{
    core::Core,
    db::Db,
    entity::job::{self, JobStatus},
    error::Error,
    id::JobId,
};

/// How long a claim is valid without a renewal.
const LEASE: Duration = Duration::from_mins(1);
/// A job is marked as failed after this number of attempts.
pub const ATTEMPTS_MAX: i32 = 10;
/// The maximum pause between two attempts.
const BACKOFF_MAX: Duration = Duration::from_hours(1);
/// The maximum length of a stored error, in characters.
const ERROR_MAX: usize = 500;

/// How often a worker renews its lease.
pub const RENEWAL_INTERVAL: Duration = Duration::from_secs(20);

/// Selects the ids of the jobs that a worker may claim: queued ones that are due, and running ones whose lease has
/// expired.
fn due(now: DateTime<Utc>) -> Select<job::Entity> {
    use job::Column::{Id, LeasedUntil, RunAt, Status};
    use sea_orm::ExprTrait;

    let queued = Status.eq(JobStatus::Queued).and(RunAt.lte(now));
    let abandoned = Status.eq(JobStatus::Running).and(LeasedUntil.lte(now));
    job::Entity::find()
        .select_only()
        .column(Id)
        .filter(queued.or(abandoned))
        .limit(1)
}

/// Claims a job that is due, if there is one.
pub async fn claim(core: &Core) -> Result<Option<job::Model>, Error> {
    use sea_orm::ExprTrait;

    let now = core.clock.now();
    // Checked before the write transaction: an idle worker must not block SQLite's only writer.
    let found: Option<JobId> = due(now).into_tuple().one(core.db.read()).await?;
    if found.is_none() {
        return Ok(None);
    }
    core.db
        .write(|tx| async move {
            let next = due(now)
                .order_by_asc(job::Column::RunAt)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .into_query();
            // `=` and not IN: PostgreSQL may run the subquery of IN more than once, and then claims more than one job.
            let next = Expr::from(SubQueryStatement::from(next));
            let claimed = job::Entity::update_many()
                .col_expr(job::Column::Status, Expr::value(JobStatus::Running))
                .col_expr(
                    job::Column::Attempts,
                    Expr::col(job::Column::Attempts).add(1),
                )
                .col_expr(job::Column::LeasedUntil, Expr::value(now + LEASE))
                .filter(Expr::col(job::Column::Id).eq(next))
                .exec_with_returning(&*tx)
                .await?;
            Ok(claimed.into_iter().next())
        })
        .await
}

/// Renews the lease of a claimed job. Returns false if another worker has claimed it.
pub async fn renew(core: &Core, job: &job::Model) -> Result<bool, Error> {
    let until = core.clock.now() + LEASE;
    let renewed = job::ActiveModel {
        leased_until: Set(Some(until)),
        ..Default::default()
    };
    change(core, job, renewed).await
}

/// Marks a job as succeeded.
pub async fn finish(core: &Core, job: &job::Model) -> Result<bool, Error> {
    let succeeded = job::ActiveModel {
        status: Set(JobStatus::Succeeded),
        leased_until: Set(None),
        last_error: Set(None),
        ..Default::default()
    };
    change(core, job, succeeded).await
}

/// Enqueues a finished job again for this time.
pub async fn repeat(core: &Core, job: &job::Model, at: DateTime<Utc>) -> Result<bool, Error> {
    let queued = job::ActiveModel {
        status: Set(JobStatus::Queued),
        leased_until: Set(None),
        last_error: Set(None),
        attempts: Set(0),
        run_at: Set(at),
        ..Default::default()
    };
    change(core, job, queued).await
}

/// Releases an interrupted job, so that another worker can claim it immediately. The attempt does not count.
pub async fn release(core: &Core, job: &job::Model) -> Result<bool, Error> {
    let queued = job::ActiveModel {
        status: Set(JobStatus::Queued),
        leased_until: Set(None),
        attempts: Set(job.attempts - 1),
        ..Default::default()
    };
    change(core, job, queued).await
}

/// Enqueues a failed job again after a pause that doubles with each attempt, or marks it as failed after the last one.
pub async fn fail(core: &Core, job: &job::Model, error: &str) -> Result<bool, Error> {
    let error: String = error.chars().take(ERROR_MAX).collect();
    let mut failed = job::ActiveModel {
        status: Set(JobStatus::Failed),
        leased_until: Set(None),
        last_error: Set(Some(error)),
        ..Default::default()
    };
    if job.attempts < ATTEMPTS_MAX {
        failed.status = Set(JobStatus::Queued);
        failed.run_at = Set(core.clock.now() + pause(job.attempts));
    }
    change(core, job, failed).await
}

/// Selects the jobs that failed at their last attempt.
#[must_use]
pub fn failed() -> Select<job::Entity> {
    job::Entity::find().filter(job::Column::Status.eq(JobStatus::Failed))
}

/// Enqueues failed jobs again: all of them, or only these. Returns their ids.
pub async fn retry(
    db: &Db,
    only: Option<&[JobId]>,
    now: DateTime<Utc>,
) -> Result<Vec<JobId>, Error> {
    let mut update = job::Entity::update_many()
        .set(job::ActiveModel {
            status: Set(JobStatus::Queued),
            attempts: Set(0),
            run_at: Set(now),
            ..Default::default()
        })
        .filter(job::Column::Status.eq(JobStatus::Failed));
    if let Some(ids) = only {
        update = update.filter(job::Column::Id.is_in(ids.iter().copied()));
    }
    let update = &update;
    db.write(|tx| async move {
        let queued = update.clone().exec_with_returning(&*tx).await?;
        Ok(queued.into_iter().map(|job| job.id).collect())
    })
    .await
}

/// Returns the pause after this number of failures.
fn pause(failures: i32) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(0).min(16);
    Duration::from_secs(2_u64.pow(doublings)).min(BACKOFF_MAX)
}

/// Updates a job if this worker still holds it. The number of the attempt identifies the claim.
async fn change(core: &Core, job: &job::Model, change: job::ActiveModel) -> Result<bool, Error> {
    let change = &job::Entity::update_many()
        .set(change)
        .filter(job::Column::Id.eq(job.id))
        .filter(job::Column::Status.eq(JobStatus::Running))
        .filter(job::Column::Attempts.eq(job.attempts));
    core.db
        .write(|tx| async move {
            let changed = change.clone().exec(&*tx).await?;
            Ok(changed.rows_affected > 0)
        })
        .await
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
