//! The index of timelines contains every column that decides whether a message is unread, so that counting does not
//! read the messages.

use sea_orm_migration::prelude::*;

const DROP: &str = "DROP INDEX message_timeline";

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let covering = "CREATE INDEX message_timeline
            ON message (conversation_id, seq, kind, deleted_at, sender_id) WHERE root_id IS NULL";
        crate::ddl::run(manager, &[DROP, covering]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let narrow =
            "CREATE INDEX message_timeline ON message (conversation_id, seq) WHERE root_id IS NULL";
        crate::ddl::run(manager, &[DROP, narrow]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
