//! Deletes rows that are no longer needed. Each table has its own recurring job, so that the failure of one does not affect
//! the others.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, sea_query::OnConflict};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{accounts, audit, notifications, sessions},
    entity::{
        email_token, invitation,
        job::{self, JobStatus},
        sign_in_attempt,
    },
    error::Error,
    id::JobId,
    jobs::{CleanupTable, Job, row},
};

/// The tables, each with the id of its job. It is fixed, so that two processes do not enqueue the job twice.
const TABLES: [(CleanupTable, JobId); 9] = [
    (CleanupTable::Sessions, JobId(Uuid::from_u128(1))),
    (CleanupTable::Notifications, JobId(Uuid::from_u128(2))),
    (CleanupTable::SignInAttempts, JobId(Uuid::from_u128(3))),
    (CleanupTable::Jobs, JobId(Uuid::from_u128(4))),
    (CleanupTable::EmailTokens, JobId(Uuid::from_u128(5))),
    (CleanupTable::AuditEntries, JobId(Uuid::from_u128(6))),
    (CleanupTable::UnverifiedUsers, JobId(Uuid::from_u128(7))),
    (CleanupTable::Invitations, JobId(Uuid::from_u128(8))),
    (CleanupTable::Identities, JobId(Uuid::from_u128(9))),
];
/// The time between two runs, and between the first start and the first run.
const INTERVAL: TimeDelta = TimeDelta::hours(1);
/// How long failed sign-ins are counted after the last one.
const SIGN_IN_RETENTION: TimeDelta = TimeDelta::days(30);
/// How long a token in a mail is kept after it expires, so that its user learns that it is too late.
const EXPIRED_TOKEN_RETENTION: TimeDelta = TimeDelta::days(7);
/// How long an invitation is kept after it expires.
const EXPIRED_INVITATION_RETENTION: TimeDelta = TimeDelta::days(90);
/// How long succeeded jobs are kept.
const SUCCEEDED_RETENTION: TimeDelta = TimeDelta::days(1);
/// How long failed jobs can be repeated.
const FAILED_RETENTION: TimeDelta = TimeDelta::days(90);

/// Enqueues the first run of each table, unless it is enqueued already. Enqueues it again if it has failed.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let rows = TABLES.map(|(table, id)| row(id, &Job::Cleanup { table }, now, now + INTERVAL));
    let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
    let if_failed = OnConflict::column(job::Column::Id)
        .update_columns([
            job::Column::Status,
            job::Column::Attempts,
            job::Column::RunAt,
        ])
        .action_and_where(job::Column::Status.eq(JobStatus::Failed))
        .to_owned();
    let (rows, if_failed) = (&rows, &if_failed);
    app.db
        .write(|tx| async move {
            job::Entity::insert_many(rows.clone())
                .on_conflict(if_failed.clone())
                .exec_without_returning(&*tx)
                .await?;
            Ok(())
        })
        .await
}

/// Deletes the rows of a table that are no longer needed. Returns when the next run is due.
pub(super) async fn run(app: &App, table: CleanupTable) -> Result<DateTime<Utc>, Error> {
    let now = app.clock.now();
    match table {
        CleanupTable::Sessions => {
            sessions::delete_old(&app.db, now).await?;
        }
        CleanupTable::Notifications => {
            notifications::delete_old(&app.db, now).await?;
        }
        CleanupTable::SignInAttempts => {
            let old = sign_in_attempt::Column::TriedAt.lt(now - SIGN_IN_RETENTION);
            app.db
                .delete_batches::<sign_in_attempt::Entity>(sign_in_attempt::Column::Login, old)
                .await?;
        }
        CleanupTable::EmailTokens => {
            let old = email_token::Column::ExpiresAt.lt(now - EXPIRED_TOKEN_RETENTION);
            app.db
                .delete_batches::<email_token::Entity>(email_token::Column::TokenHash, old)
                .await?;
        }
        CleanupTable::Invitations => {
            let old = invitation::Column::ExpiresAt.lt(now - EXPIRED_INVITATION_RETENTION);
            app.db
                .delete_batches::<invitation::Entity>(invitation::Column::Id, old)
                .await?;
        }
        CleanupTable::UnverifiedUsers => accounts::delete_unverified(app).await?,
        CleanupTable::Identities => accounts::delete_released(&app.db, now).await?,
        CleanupTable::AuditEntries => audit::delete_old(&app.db, now).await?,
        CleanupTable::Jobs => {
            let ended = |status, retention| {
                let old = job::Column::RunAt.lt(now - retention);
                job::Column::Status.eq(status).and(old)
            };
            let succeeded = ended(JobStatus::Succeeded, SUCCEEDED_RETENTION);
            app.db
                .delete_batches::<job::Entity>(job::Column::Id, succeeded)
                .await?;
            let failed = ended(JobStatus::Failed, FAILED_RETENTION);
            let lost = app
                .db
                .delete_batches::<job::Entity>(job::Column::Id, failed)
                .await?;
            if lost > 0 {
                tracing::warn!(jobs = lost, "deleted old jobs that had failed");
            }
        }
    }
    Ok(now + INTERVAL)
}
