//! Addresses that belong to an account only once they are verified, and an index that counts the mails to an address.

crate::ddl::step! {
    up: &[
        r#"ALTER TABLE "user" ADD COLUMN pending_email TEXT"#,
        r#"ALTER TABLE "user" ADD COLUMN pending_email_key TEXT"#,
        r#"CREATE INDEX user_pending_email ON "user" (pending_email_key) WHERE pending_email_key IS NOT NULL"#,
        "CREATE INDEX email_token_address ON email_token (email_key, purpose, created_at)",
    ],
    down: &[
        "DROP INDEX email_token_address",
        "DROP INDEX user_pending_email",
        r#"ALTER TABLE "user" DROP COLUMN pending_email_key"#,
        r#"ALTER TABLE "user" DROP COLUMN pending_email"#,
    ],
}
