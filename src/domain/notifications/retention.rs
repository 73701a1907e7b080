//! How many notifications a user has, and for how long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::Expr,
};

use super::update::forget_in;
use crate::{
    db::{BATCH_PAUSE, Db},
    entity::notification::{self, Column},
    error::Error,
    id::{self, NotificationId, UserId},
};

/// How long a notification is kept, read or not.
const RETENTION: TimeDelta = TimeDelta::days(180);
/// Maximum notifications of a user. The oldest ones are deleted.
const PER_USER_MAX: u64 = 10_000;
/// Rows that one transaction deletes, and at most as many ids in one event.
const BATCH_SIZE: u64 = 500;

/// Deletes notifications that are old, and those that are too many for their user.
pub async fn delete_old(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    let before = now - RETENTION;
    // An id begins with its time, so the primary key finds the oldest rows.
    let oldest = NotificationId(id::from_time(before, [0; 10]));
    let old = Column::Id.lt(oldest).and(Column::CreatedAt.lt(before));
    delete(db, &old, now).await?;
    let full: Vec<UserId> = notification::Entity::find()
        .select_only()
        .column(Column::UserId)
        .group_by(Column::UserId)
        .having(Column::Id.count().gt(PER_USER_MAX))
        .into_tuple()
        .all(db.read())
        .await?;
    for user in full {
        let last_kept: Option<(DateTime<Utc>, NotificationId)> = notification::Entity::find()
            .select_only()
            .columns([Column::CreatedAt, Column::Id])
            .filter(Column::UserId.eq(user))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .offset(PER_USER_MAX - 1)
            .limit(1)
            .into_tuple()
            .one(db.read())
            .await?;
        if let Some((at, id)) = last_kept {
            let same_time = Column::CreatedAt.eq(at).and(Column::Id.lt(id));
            let earlier = Column::CreatedAt.lt(at).or(same_time);
            delete(db, &Column::UserId.eq(user).and(earlier), now).await?;
        }
    }
    Ok(())
}

/// Deletes the notifications that match a condition, and appends the events of it to the streams of their users.
async fn delete(db: &Db, condition: &Expr, now: DateTime<Utc>) -> Result<(), Error> {
    let some = notification::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(condition.clone())
        .limit(BATCH_SIZE)
        .into_query();
    let some = &Column::Id.in_subquery(some);
    loop {
        let deleted = db
            .write(|tx| async move { forget_in(&tx, some.clone(), now).await })
            .await?;
        if deleted < BATCH_SIZE {
            return Ok(());
        }
        tokio::time::sleep(BATCH_PAUSE).await;
    }
}
