//! What is left of an identity when its account is deleted, and for how long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use crate::{
    db::{Db, Tx},
    entity::identity::{self, Column},
    error::Error,
    id::UserId,
};

/// How long a released identity is kept: longer than a token lives, so that an older token does not create the account
/// again.
const RETENTION: TimeDelta = TimeDelta::hours(2);

/// Separates the identities of a user from the account, which is deleted.
pub(in crate::domain::accounts) async fn release_in(
    tx: &Tx,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    identity::Entity::update_many()
        .set(identity::ActiveModel {
            user_id: Set(None),
            released_at: Set(Some(at)),
            ..Default::default()
        })
        .filter(Column::UserId.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

/// Deletes the identities of deleted accounts.
pub async fn delete_released(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    let old = Column::ReleasedAt.lt(now - RETENTION);
    db.delete_batches::<identity::Entity>(Column::Id, old)
        .await?;
    Ok(())
}
