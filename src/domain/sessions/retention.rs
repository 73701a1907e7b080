//! How long the rows of sessions are kept.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use super::{ABSOLUTE_LIFETIME, IDLE_LIFETIME};
use crate::{
    db::Db,
    entity::session::{self, Column},
    error::Error,
    id::{self, SessionId, UserId},
};

/// Maximum sessions of an account that have ended and whose rows are kept.
const ENDED_MAX: u64 = 100;
/// How long an expired session is kept. Its start is older by its lifetime.
const RETENTION: TimeDelta = TimeDelta::days(30);

/// Deletes sessions that expired long ago, and those that have ended and are too many for their account.
pub async fn delete_old(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    let before = now - ABSOLUTE_LIFETIME - RETENTION;
    // An id begins with its time, so the primary key finds the oldest rows.
    let oldest = SessionId(id::from_time(before, [0; 10]));
    let old = Column::Id.lt(oldest).and(Column::CreatedAt.lt(before));
    db.delete_batches::<session::Entity>(Column::Id, old)
        .await?;
    let has_ended = Condition::any()
        .add(Column::EndedAt.is_not_null())
        .add(Column::ExpiresAt.lte(now))
        .add(Column::RefreshedAt.lte(now - IDLE_LIFETIME));
    let full: Vec<UserId> = session::Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(has_ended.clone())
        .group_by(Column::UserId)
        .having(Column::Id.count().gt(ENDED_MAX))
        .into_tuple()
        .all(db.read())
        .await?;
    for user in full {
        let last_kept: Option<SessionId> = session::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::UserId.eq(user))
            .filter(has_ended.clone())
            .order_by_desc(Column::Id)
            .offset(ENDED_MAX - 1)
            .limit(1)
            .into_tuple()
            .one(db.read())
            .await?;
        if let Some(last_kept) = last_kept {
            let excess = Expr::from(has_ended.clone())
                .and(Column::UserId.eq(user))
                .and(Column::Id.lt(last_kept));
            db.delete_batches::<session::Entity>(Column::Id, excess)
                .await?;
        }
    }
    Ok(())
}
