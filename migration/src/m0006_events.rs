//! The event log: one row for each change, written by the transaction of the change.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // PostgreSQL commits in another order than it numbers rows, so each event also keeps the
        // transaction that wrote it: a reader's position in the log is a snapshot, not a number.
        // SQLite has one writer; there the position alone is commit order.
        let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
        let transaction = if sqlite {
            ""
        } else {
            "tx xid8 NOT NULL DEFAULT pg_current_xact_id(),"
        };
        let event = format!(
            r"CREATE TABLE event (
                position {{position}},
                {transaction}
                stream_id {{uuid}} NOT NULL,
                seq {{long}} NOT NULL,
                kind TEXT NOT NULL,
                payload TEXT NOT NULL,
                created_at {{time}} NOT NULL
            ) {{table}}"
        );
        let mut statements = vec![
            event.as_str(),
            "CREATE UNIQUE INDEX event_stream ON event (stream_id, seq)",
            "CREATE INDEX event_created ON event (created_at)",
        ];
        // Finds missed events by stream, from the reader's position.
        if sqlite {
            statements.push("CREATE INDEX event_stream_position ON event (stream_id, position)");
        } else {
            statements.push("CREATE INDEX event_tx ON event (tx)");
            statements.push("CREATE INDEX event_stream_tx ON event (stream_id, tx)");
        }
        crate::ddl::run(manager, &statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, &[r#"DROP TABLE "event""#]).await
    }

    /// SQLite uses no transaction by default, so a failed migration would leave its tables.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
