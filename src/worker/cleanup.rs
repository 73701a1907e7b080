//! Throwing away what nobody needs any more, a little at a time so that nobody waits long.

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
    let row = &row(ID, &Job::Cleanup, now, now + FIRST)?;
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

/// One round; tells when the next one is due.
pub(super) async fn run(app: &App) -> Result<DateTime<Utc>, Error> {
    let now = app.clock.now();
    let replay = TimeDelta::from_std(app.config.event_replay).map_err(Error::internal)?;
    let old = event::Column::CreatedAt.lt(now - replay);
    sweep(app, event::Entity, event::Column::Position, old).await?;
    let ended = session::Column::EndedAt.lt(now - SESSIONS);
    sweep(app, session::Entity, session::Column::Id, ended).await?;
    let expired = session::Column::ExpiresAt.lt(now - SESSIONS);
    sweep(app, session::Entity, session::Column::Id, expired).await?;
    let succeeded = job::Column::Status.eq(JobStatus::Succeeded);
    let finished = succeeded.and(job::Column::RunAt.lt(now - JOBS));
    sweep(app, job::Entity, job::Column::Id, finished).await?;
    Ok(now + ROUND)
}

/// Deletes rows, a transaction for each thousand.
async fn sweep<E: EntityTrait>(
    app: &App,
    _: E,
    key: E::Column,
    condition: Expr,
) -> Result<(), Error> {
    let rows = E::find()
        .select_only()
        .column(key)
        .filter(condition)
        .limit(ROWS);
    let delete = &E::delete_many().filter(key.in_subquery(rows.into_query()));
    loop {
        let deleted = app
            .db
            .write(|tx| async move { Ok(delete.clone().exec(&*tx).await?.rows_affected) })
            .await?;
        if deleted < ROWS {
            return Ok(());
        }
    }
}
