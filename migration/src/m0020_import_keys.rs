//! Keys of imported messages and people, in columns of their own. A key of a client or the address of an account is no
//! proof that a row was imported, and an imported address is no proof of identity.

/// Earlier imports stored the key of a mail as the key of a client, but without a hash of the content.
const UP: &[&str] = &[
    "ALTER TABLE message ADD COLUMN import_key TEXT",
    r#"ALTER TABLE "user" ADD COLUMN import_key TEXT"#,
    "UPDATE message SET import_key = client_message_id, client_message_id = NULL
        WHERE client_message_id LIKE 'mail:%' AND length(client_message_id) IN (45, 62)
            AND content_hash IS NULL",
    r#"UPDATE "user" SET import_key = email_key, email = NULL, email_key = NULL
        WHERE password_hash IS NULL AND last_active_at IS NULL AND verified_at IS NULL
            AND id IN (SELECT sender_id FROM message WHERE import_key IS NOT NULL)"#,
    "CREATE UNIQUE INDEX message_import_key ON message (conversation_id, import_key)
        WHERE import_key IS NOT NULL",
    r#"CREATE UNIQUE INDEX user_import_key ON "user" (import_key) WHERE import_key IS NOT NULL"#,
];

/// An address that an account has taken since stays with that account.
const DOWN: &[&str] = &[
    "DROP INDEX user_import_key",
    "DROP INDEX message_import_key",
    r#"UPDATE "user" SET email = import_key, email_key = import_key
        WHERE import_key IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM "user" other WHERE other.email_key = "user".import_key)"#,
    "UPDATE message SET client_message_id = import_key WHERE import_key IS NOT NULL",
    r#"ALTER TABLE "user" DROP COLUMN import_key"#,
    "ALTER TABLE message DROP COLUMN import_key",
];

crate::ddl::step! {
    up: UP,
    down: DOWN,
}
