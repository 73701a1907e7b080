//! The users of other systems whose access tokens are accepted.

crate::ddl::step! {
    up: &[
        r#"CREATE TABLE identity (
            id {uuid} PRIMARY KEY NOT NULL,
            issuer text NOT NULL,
            subject text NOT NULL,
            user_id {uuid} REFERENCES "user" (id) ON DELETE SET NULL,
            profile_digest {bytes} NOT NULL,
            released_at {time},
            created_at {time} NOT NULL
        ) {table}"#,
        "CREATE UNIQUE INDEX identity_subject ON identity (issuer, subject)",
        "CREATE INDEX identity_user ON identity (user_id)",
        "CREATE INDEX identity_released ON identity (released_at) WHERE released_at IS NOT NULL",
        "ALTER TABLE session ADD COLUMN identity_id {uuid} REFERENCES identity (id) ON DELETE SET NULL",
        "CREATE INDEX session_identity ON session (identity_id) WHERE identity_id IS NOT NULL",
    ],
    down: &[
        "DROP INDEX session_identity",
        "ALTER TABLE session DROP COLUMN identity_id",
        "DROP TABLE identity",
    ],
}
