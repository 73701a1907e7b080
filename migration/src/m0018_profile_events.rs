//! Finds the profile changes in a part of the log. On SQLite alone: PostgreSQL reads missed events in the order of their
//! transactions, of any kind.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `kind` is constant, but SQLite does not use the index for an OR without it.
        let create =
            "CREATE INDEX event_profile ON event (kind, position) WHERE kind = 'UserChanged'";
        run_on_sqlite(manager, create).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_on_sqlite(manager, "DROP INDEX event_profile").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn run_on_sqlite(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Sqlite {
        crate::ddl::run(manager, &[statement]).await?;
    }
    Ok(())
}
