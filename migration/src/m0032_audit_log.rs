//! The audit log. Triggers refuse to change it: an entry can only lose its details, when their user is erased, and only
//! entries at the beginning can be deleted, after the head has recorded how far.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

const TABLES: &[&str] = &[
    "CREATE TABLE audit_head (
        one INTEGER PRIMARY KEY NOT NULL,
        last_sequence {long} NOT NULL,
        last_hash {bytes} NOT NULL,
        deleted_sequence {long} NOT NULL,
        deleted_hash {bytes} NOT NULL
    ) {table}",
    "CREATE TABLE audit_entry (
        sequence {long} PRIMARY KEY NOT NULL,
        id {uuid} NOT NULL UNIQUE,
        occurred_at {time} NOT NULL,
        action TEXT NOT NULL,
        outcome TEXT NOT NULL,
        actor_id {uuid},
        target_id TEXT,
        request_id TEXT,
        details TEXT,
        details_hash {bytes} NOT NULL,
        hash {bytes} NOT NULL
    ) {table}",
    "CREATE INDEX audit_entry_actor ON audit_entry (actor_id, sequence)",
    "CREATE INDEX audit_entry_target ON audit_entry (target_id, sequence)",
];

const SQLITE: &[&str] = &[
    "INSERT INTO audit_head VALUES (1, 0, zeroblob(32), 0, zeroblob(32))",
    "CREATE TRIGGER audit_entry_is_kept BEFORE DELETE ON audit_entry
        WHEN OLD.sequence > (SELECT deleted_sequence FROM audit_head)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_entry_is_unchanged BEFORE UPDATE ON audit_entry
        WHEN NEW.details IS NOT NULL
            OR NEW.sequence <> OLD.sequence
            OR NEW.id <> OLD.id
            OR NEW.occurred_at <> OLD.occurred_at
            OR NEW.action <> OLD.action
            OR NEW.outcome <> OLD.outcome
            OR NEW.actor_id IS NOT OLD.actor_id
            OR NEW.target_id IS NOT OLD.target_id
            OR NEW.request_id IS NOT OLD.request_id
            OR NEW.details_hash <> OLD.details_hash
            OR NEW.hash <> OLD.hash
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
];

const POSTGRES: &[&str] = &[
    r"INSERT INTO audit_head VALUES (
        1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'))",
    "CREATE FUNCTION audit_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                IF OLD.sequence <= (SELECT deleted_sequence FROM audit_head) THEN
                    RETURN OLD;
                END IF;
            ELSIF TG_OP = 'UPDATE' THEN
                OLD.details := NULL;
                IF NEW IS NOT DISTINCT FROM OLD THEN
                    RETURN NEW;
                END IF;
            END IF;
            RAISE EXCEPTION 'the audit log is append-only';
        END $$",
    "CREATE TRIGGER audit_entry_is_unchanged BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only()",
    "CREATE TRIGGER audit_entry_is_kept BEFORE TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_append_only()",
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, TABLES).await?;
        let triggers = match manager.get_connection().get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        crate::ddl::run(manager, triggers).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(
            manager,
            &["DROP TABLE audit_entry", "DROP TABLE audit_head"],
        )
        .await?;
        if manager.get_connection().get_database_backend() == DbBackend::Postgres {
            crate::ddl::run(manager, &["DROP FUNCTION audit_entry_is_append_only"]).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
