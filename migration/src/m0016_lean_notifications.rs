//! A message to a group of eight creates seven notifications, which are most of the cost of sending. The message
//! already stores its sender and conversation, so notifications of messages have neither an index nor a foreign key for
//! them. The index of unread notifications starts with the conversation, as queries read it.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Indexes that other indexes and tables replace.
const INDEXES: &[&str] = &[
    "CREATE INDEX notification_user ON notification (user_id, created_at, id)",
    "CREATE UNIQUE INDEX notification_message ON notification (message_id, user_id)",
    "CREATE INDEX notification_unread ON notification (user_id, conversation_id)
         WHERE read_at IS NULL",
    "CREATE INDEX notification_conversation ON notification (conversation_id)
         WHERE message_id IS NULL",
    "CREATE INDEX notification_actor ON notification (actor_id) WHERE actor_id IS NOT NULL",
];

const WIDE: &[&str] = &[
    "CREATE INDEX notification_user ON notification (user_id, created_at, id)",
    "CREATE UNIQUE INDEX notification_message ON notification (message_id, user_id)",
    "CREATE INDEX notification_unread ON notification (user_id) WHERE read_at IS NULL",
    "CREATE INDEX notification_conversation ON notification (conversation_id)",
    "CREATE INDEX notification_actor ON notification (actor_id)",
];

const DROP: &[&str] = &[
    "DROP INDEX notification_user",
    "DROP INDEX notification_message",
    "DROP INDEX notification_unread",
    "DROP INDEX notification_conversation",
    "DROP INDEX notification_actor",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, DROP).await?;
        let without = "UPDATE notification SET actor_id = NULL WHERE message_id IS NOT NULL";
        crate::ddl::run(manager, &[without]).await?;
        refer(manager, "").await?;
        crate::ddl::run(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, DROP).await?;
        let with = "UPDATE notification SET actor_id = (SELECT m.sender_id FROM message m
             WHERE m.id = notification.message_id) WHERE message_id IS NOT NULL";
        crate::ddl::run(manager, &[with]).await?;
        refer(manager, "REFERENCES conversation (id) ON DELETE CASCADE").await?;
        crate::ddl::run(manager, WIDE).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Changes the foreign key of the conversation column to this clause. SQLite cannot change a table's foreign key, so it
/// creates a new table there.
async fn refer(manager: &SchemaManager<'_>, conversation: &str) -> Result<(), DbErr> {
    if manager.get_connection().get_database_backend() == DbBackend::Postgres {
        let constraint = "notification_conversation_id_fkey";
        let change = if conversation.is_empty() {
            format!("ALTER TABLE notification DROP CONSTRAINT {constraint}")
        } else {
            format!(
                "ALTER TABLE notification ADD CONSTRAINT {constraint}
                     FOREIGN KEY (conversation_id) {conversation}"
            )
        };
        return crate::ddl::run(manager, &[&change]).await;
    }
    let table = format!(
        r#"CREATE TABLE notification (
        id {{uuid}} NOT NULL PRIMARY KEY,
        user_id {{uuid}} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        actor_id {{uuid}} REFERENCES "user" (id) ON DELETE SET NULL,
        message_id {{uuid}} REFERENCES message (id) ON DELETE CASCADE,
        conversation_id {{uuid}} {conversation},
        created_at {{time}} NOT NULL,
        read_at {{time}}
    ) {{table}}"#
    );
    let steps = [
        "ALTER TABLE notification RENAME TO notification_before",
        &table,
        "INSERT INTO notification SELECT * FROM notification_before",
        "DROP TABLE notification_before",
    ];
    crate::ddl::run(manager, &steps).await
}
