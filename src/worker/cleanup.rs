//! Deletes rows that are no longer needed, in small transactions that do not block other writers for long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    app::App,
    entity::{
        event,
        job::{self, JobStatus},
        session,
    },
    error::Error,
    id::JobId,
    jobs::{Job, row},
};

/// The id of the only recurring job. It is fixed, so that two processes do not enqueue the job twice.
const ID: JobId = JobId(Uuid::from_u128(1));
/// The time between two runs.
const INTERVAL: TimeDelta = TimeDelta::days(1);
/// The time between the first start and the first run.
const FIRST_DELAY: TimeDelta = TimeDelta::hours(1);
/// How long ended sessions are kept.
const SESSION_RETENTION: TimeDelta = TimeDelta::days(30);
/// How long succeeded jobs are kept. Failed ones are not deleted.
const JOB_RETENTION: TimeDelta = TimeDelta::days(1);
/// Rows that one statement deletes.
const BATCH_SIZE: u64 = 1000;

/// Enqueues the first run, unless the job is enqueued already. Enqueues it again if it has failed.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let row = &row(ID, &Job::Cleanup, now, now + FIRST_DELAY)?;
    let if_failed = &OnConflict::column(job::Column::Id)
        .update_columns([
            job::Column::Status,
            job::Column::Attempts,
            job::Column::RunAt,
        ])
        .action_and_where(job::Column::Status.eq(JobStatus::Failed))
        .to_owned();
    app.db
        .write(|tx| async move {
            job::Entity::insert(row.clone())
                .on_conflict(if_failed.clone())
                .exec_without_returning(&*tx)
                .await?;
            Ok(())
        })
        .await
}

/// Deletes old rows. Returns when the next run is due.
pub(super) async fn run(app: &App) -> Result<DateTime<Utc>, Error> {
    let now = app.clock.now();
    let replay = TimeDelta::from_std(app.config.event_replay).map_err(Error::internal)?;
    let old = event::Column::CreatedAt.lt(now - replay);
    delete_batches(app, event::Entity, event::Column::Position, old).await?;
    let ended = session::Column::EndedAt.lt(now - SESSION_RETENTION);
    delete_batches(app, session::Entity, session::Column::Id, ended).await?;
    let expired = session::Column::ExpiresAt.lt(now - SESSION_RETENTION);
    delete_batches(app, session::Entity, session::Column::Id, expired).await?;
    let succeeded = job::Column::Status.eq(JobStatus::Succeeded);
    let finished = succeeded.and(job::Column::RunAt.lt(now - JOB_RETENTION));
    delete_batches(app, job::Entity, job::Column::Id, finished).await?;
    Ok(now + INTERVAL)
}

/// Deletes the rows that match a condition, a thousand in each transaction.
async fn delete_batches<E: EntityTrait>(
    app: &App,
    _: E,
    key: E::Column,
    condition: Expr,
) -> Result<(), Error> {
    let rows = E::find()
        .select_only()
        .column(key)
        .filter(condition)
        .limit(BATCH_SIZE);
    let delete = &E::delete_many().filter(key.in_subquery(rows.into_query()));
    loop {
        let deleted = app
            .db
            .write(|tx| async move { Ok(delete.clone().exec(&*tx).await?.rows_affected) })
            .await?;
        if deleted < BATCH_SIZE {
            return Ok(());
        }
    }
}
