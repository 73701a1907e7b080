//! Authenticator apps and recovery codes, and when a session last confirmed the identity of its user.

crate::ddl::step! {
    up: &[
        r#"CREATE TABLE authenticator (
            user_id {uuid} PRIMARY KEY NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
            secret {bytes},
            last_step {long} NOT NULL,
            pending_secret {bytes},
            pending_until {time}
        ) {table}"#,
        r#"CREATE TABLE recovery_code (
            code_hash {bytes} PRIMARY KEY NOT NULL,
            user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE
        ) {table}"#,
        "CREATE INDEX recovery_code_user ON recovery_code (user_id)",
        "ALTER TABLE session ADD COLUMN reauthenticated_at {time}",
    ],
    down: &[
        "ALTER TABLE session DROP COLUMN reauthenticated_at",
        "DROP TABLE recovery_code",
        "DROP TABLE authenticator",
    ],
}
