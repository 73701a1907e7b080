//! Invitations to register.

crate::ddl::step! {
    creates: ["invitation"],
    r#"CREATE TABLE invitation (
        id {uuid} PRIMARY KEY NOT NULL,
        token_hash {bytes} NOT NULL UNIQUE,
        email TEXT,
        email_key TEXT,
        role TEXT NOT NULL,
        created_at {time} NOT NULL,
        expires_at {time} NOT NULL,
        revoked_at {time},
        accepted_at {time},
        accepted_by {uuid} REFERENCES "user" (id) ON DELETE SET NULL
    ) {table}"#,
    "CREATE INDEX invitation_accepted_by ON invitation (accepted_by)",
    "CREATE INDEX invitation_expires ON invitation (expires_at)",
}
