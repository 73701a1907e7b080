//! Who created an invitation; null for the command line.

crate::ddl::step! {
    up: &[r#"ALTER TABLE invitation ADD COLUMN created_by {uuid} REFERENCES "user" (id) ON DELETE SET NULL"#],
    down: &["ALTER TABLE invitation DROP COLUMN created_by"],
}
