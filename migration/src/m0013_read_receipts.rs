//! Whether other users see how far a user has read.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = r#"ALTER TABLE "user"
            ADD COLUMN shares_read_receipts {bool} NOT NULL DEFAULT TRUE"#;
        crate::ddl::run(manager, &[text]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = r#"ALTER TABLE "user" DROP COLUMN shares_read_receipts"#;
        crate::ddl::run(manager, &[text]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
