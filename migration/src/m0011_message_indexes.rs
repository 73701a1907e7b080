//! Indexes of replies without root messages. They are smaller and make sending a root message cheaper, and SQLite
//! cannot choose them for a query of all roots of one conversation.

use sea_orm_migration::prelude::*;

const DROP: [&str; 4] = [
    "DROP INDEX message_tree",
    "DROP INDEX message_thread_seq",
    "DROP INDEX message_parent",
    "DROP INDEX message_client_key",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, &DROP).await?;
        let partial = [
            "CREATE INDEX message_tree ON message (root_id, path) WHERE root_id IS NOT NULL",
            "CREATE INDEX message_thread_seq ON message (root_id, seq) WHERE root_id IS NOT NULL",
            "CREATE INDEX message_parent ON message (parent_id, seq) WHERE parent_id IS NOT NULL",
            "CREATE UNIQUE INDEX message_client_key ON message (conversation_id, sender_id, client_message_id)
                WHERE client_message_id IS NOT NULL",
        ];
        crate::ddl::run(manager, &partial).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, &DROP).await?;
        let whole = [
            "CREATE INDEX message_tree ON message (root_id, path)",
            "CREATE INDEX message_thread_seq ON message (root_id, seq)",
            "CREATE INDEX message_parent ON message (parent_id, seq)",
            "CREATE UNIQUE INDEX message_client_key ON message (conversation_id, sender_id, client_message_id)",
        ];
        crate::ddl::run(manager, &whole).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
