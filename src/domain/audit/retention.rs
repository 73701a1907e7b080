//! How long entries are kept.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::verify::page_after;
use crate::{
    db::{Db, Tx},
    entity::{audit_entry, audit_head},
    error::Error,
};

/// How long an entry is kept.
const RETENTION: TimeDelta = TimeDelta::days(365);

/// Deletes old entries from the beginning of the log, and records where it begins, so that it can still be verified.
pub async fn delete_old(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    let before = now - RETENTION;
    loop {
        let oldest = page_after(db, 0, i64::MAX).await?;
        let old = oldest
            .into_iter()
            .take_while(|entry| entry.occurred_at < before);
        let Some(last) = &old.last() else {
            return Ok(());
        };
        db.write(|tx| async move { delete_in(&tx, last).await })
            .await?;
    }
}

async fn delete_in(tx: &Tx, last: &audit_entry::Model) -> Result<(), Error> {
    audit_head::Entity::update_many()
        .set(audit_head::ActiveModel {
            deleted_sequence: Set(last.sequence),
            deleted_hash: Set(last.hash.clone()),
            ..Default::default()
        })
        .filter(audit_head::Column::DeletedSequence.lt(last.sequence))
        .exec(tx)
        .await?;
    audit_entry::Entity::delete_many()
        .filter(audit_entry::Column::Sequence.lte(last.sequence))
        .exec(tx)
        .await?;
    Ok(())
}
