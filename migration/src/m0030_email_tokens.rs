//! Tokens in mails: each proves once that its user reads mail to an address.

crate::ddl::step! {
    creates: ["email_token"],
    r#"CREATE TABLE email_token (
        token_hash {bytes} PRIMARY KEY NOT NULL,
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        purpose TEXT NOT NULL,
        email_key TEXT NOT NULL,
        created_at {time} NOT NULL,
        expires_at {time} NOT NULL
    ) {table}"#,
    "CREATE INDEX email_token_user ON email_token (user_id, purpose, created_at)",
    "CREATE INDEX email_token_expires ON email_token (expires_at)",
}
