//! The epoch of the event log, which changes when a database was restored, copied or moved.

crate::ddl::step! {
    up: &[
        "ALTER TABLE installation ADD COLUMN epoch {long} NOT NULL DEFAULT 0",
        "ALTER TABLE installation ADD COLUMN log_identity TEXT",
    ],
    down: &[
        "ALTER TABLE installation DROP COLUMN log_identity",
        "ALTER TABLE installation DROP COLUMN epoch",
    ],
}
