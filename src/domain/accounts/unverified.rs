//! Deletes registrations whose address was never verified, so that they do not keep usernames.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, Query},
};

use crate::{
    core::Core,
    db::Tx,
    domain::audit::{self, AuditAction, AuditRecord, AuditTarget},
    entity::{participant, session, user},
    error::Error,
    id::UserId,
};

/// How long a registration waits for the verification of its address.
const RETENTION: TimeDelta = TimeDelta::days(7);
/// The accounts that are found at a time.
const BATCH_SIZE: u64 = 100;

/// Deletes old registrations, except those that were used while no verification was required.
pub async fn delete_unverified(core: &Core) -> Result<(), Error> {
    let now = core.clock.now();
    loop {
        let old: Vec<UserId> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(is_old(now))
            .limit(BATCH_SIZE)
            .into_tuple()
            .all(core.db.read())
            .await?;
        if old.is_empty() {
            return Ok(());
        }
        for user in old {
            core.db
                .write(|tx| async move { delete_in(&tx, user, now).await })
                .await?;
        }
    }
}

async fn delete_in(tx: &Tx, user: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    let deleted = user::Entity::delete_many()
        .filter(user::Column::Id.eq(user))
        .filter(is_old(now))
        .exec(tx)
        .await?;
    if deleted.rows_affected == 0 {
        return Ok(());
    }
    tx.erase_on_commit();
    let record = AuditRecord::new(AuditAction::UserDeleted, None).on(AuditTarget::User(user));
    audit::append_in(tx, now, record).await?;
    audit::erase_in(tx, user).await
}

fn is_old(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(user::Column::PendingEmailKey.is_not_null())
        .add(user::Column::EmailKey.is_null())
        .add(user::Column::CreatedAt.lt(now - RETENTION))
        .add(has_none(session::Entity, session::Column::UserId))
        .add(has_none(participant::Entity, participant::Column::UserId))
}

/// The condition that no row of this table belongs to the user.
fn has_none<E: EntityTrait>(table: E, owner: E::Column) -> Expr {
    let is_own = Expr::col((table, owner)).equals((user::Entity, user::Column::Id));
    let rows = Query::select()
        .expr(Expr::val(1))
        .from(table)
        .and_where(is_own)
        .to_owned();
    Expr::exists(rows).not()
}
