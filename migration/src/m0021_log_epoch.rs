//! The epoch of the event log, which changes when a database was restored, copied or moved.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

const UP: &[&str] = &[
    "ALTER TABLE installation ADD COLUMN epoch {long} NOT NULL DEFAULT 0",
    "ALTER TABLE installation ADD COLUMN log_identity TEXT",
];

const DOWN: &[&str] = &[
    "ALTER TABLE installation DROP COLUMN log_identity",
    "ALTER TABLE installation DROP COLUMN epoch",
];

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, DOWN).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
