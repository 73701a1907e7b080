//! Deletes events that are too old to be replayed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::{db::Db, entity::event, error::Error};

/// How often old events are deleted.
pub const INTERVAL: Duration = Duration::from_hours(1);
/// How much longer than the retention an event is kept. An event gets its time before it is committed, and the age of a
/// cursor counts from that time.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// Events deleted by one transaction; other transactions write in between.
const BATCH: u64 = 5000;

/// The time before which no event follows a valid cursor.
pub(super) fn horizon(retention: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    now - retention - SLACK
}

/// Deletes the events that follow no valid cursor, and returns their number.
pub async fn prune(db: &Db, retention: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
    let before = horizon(retention, now);
    let mut deleted = 0;
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
        deleted += count;
        if count < BATCH {
            return Ok(deleted);
        }
    }
}
