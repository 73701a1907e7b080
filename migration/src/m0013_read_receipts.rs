//! Whether other users see how far a user has read.

crate::ddl::step! {
    up: &[r#"ALTER TABLE "user"
            ADD COLUMN shares_read_receipts {bool} NOT NULL DEFAULT TRUE"#],
    down: &[r#"ALTER TABLE "user" DROP COLUMN shares_read_receipts"#],
}
