//! Returns the space of the notifications that the step before deleted. Not in its transaction: neither database can do
//! this there.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend, Statement},
};

/// Rewriting the whole file of SQLite pays off above this share of free pages.
const HAS_FREE_PAGES: &str = "SELECT (SELECT freelist_count FROM pragma_freelist_count) * 10
        > (SELECT page_count FROM pragma_page_count) AS has_free_pages";

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let backend = connection.get_database_backend();
        let statement = if backend == DbBackend::Postgres {
            "VACUUM (FULL, ANALYZE) notification"
        } else {
            let query = Statement::from_string(backend, HAS_FREE_PAGES);
            let row = connection.query_one_raw(query).await?;
            if !row.is_some_and(|row| row.try_get("", "has_free_pages").unwrap_or(false)) {
                return Ok(());
            }
            "VACUUM"
        };
        // It needs as much space as the data. Without that, the free space stays in the file for new rows.
        if let Err(error) = connection.execute_unprepared(statement).await {
            tracing::warn!(%error, "the space of deleted notifications was not returned to the disk");
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
