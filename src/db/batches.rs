//! Deletes many rows in small transactions, which do not block other writers for long.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, sea_query::Expr};

use super::Db;
use crate::error::Error;

/// Rows that one transaction deletes.
const BATCH_SIZE: u64 = 1000;
/// The pause after a full batch.
pub const BATCH_PAUSE: Duration = Duration::from_millis(20);

impl Db {
    /// Deletes the rows that match a condition, by their unique key, and returns their number.
    pub async fn delete_batches<E: EntityTrait>(
        &self,
        key: E::Column,
        condition: Expr,
    ) -> Result<u64, Error> {
        let some = E::find()
            .select_only()
            .column(key)
            .filter(condition)
            .limit(BATCH_SIZE);
        let delete = &E::delete_many().filter(key.in_subquery(some.into_query()));
        let mut deleted = 0;
        loop {
            let count = self
                .write(|tx| async move { Ok(delete.clone().exec(&*tx).await?.rows_affected) })
                .await?;
            deleted += count;
            if count < BATCH_SIZE {
                return Ok(deleted);
            }
            tokio::time::sleep(BATCH_PAUSE).await;
        }
    }
}
