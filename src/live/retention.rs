//! Forgets events that nobody can ask for any more.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::{db::Db, entity::event, error::Error};

/// How often there is something to forget.
pub const EVERY: Duration = Duration::from_hours(1);
/// An event is stamped before it is committed, and cursors count from the stamp: the log is kept this
/// much longer than cursors are good for.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// Events forgotten by one transaction; others write in between.
const BATCH: u64 = 5000;

/// What happened before this is after no cursor that is still good.
pub(super) fn horizon(retention: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    now - retention - SLACK
}

/// Forgets what happened before all cursors that are still good, and tells how much it was.
pub async fn prune(db: &Db, retention: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
    let before = horizon(retention, now);
    let mut forgotten = 0;
    loop {
        let count = db
            .write(|tx| async move {
                let oldest = event::Entity::find()
                    .select_only()
                    .column(event::Column::Position)
                    .filter(event::Column::CreatedAt.lt(before))
                    .order_by_asc(event::Column::CreatedAt)
                    .limit(BATCH);
                let deleted = event::Entity::delete_many()
                    .filter(event::Column::Position.in_subquery(oldest.into_query()))
                    .exec(&*tx)
                    .await?;
                Ok(deleted.rows_affected)
            })
            .await?;
        forgotten += count;
        if count < BATCH {
            return Ok(forgotten);
        }
    }
}
