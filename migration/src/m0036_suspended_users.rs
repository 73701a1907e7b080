//! Accounts that an administrator has suspended.

crate::ddl::step! {
    up: &[
        r#"ALTER TABLE "user" ADD COLUMN suspended_at {time}"#,
        r#"ALTER TABLE "user" ADD COLUMN suspension_reason TEXT"#,
        r#"CREATE INDEX user_role ON "user" (role) WHERE role <> 'MEMBER'"#,
    ],
    down: &[
        "DROP INDEX user_role",
        r#"ALTER TABLE "user" DROP COLUMN suspension_reason"#,
        r#"ALTER TABLE "user" DROP COLUMN suspended_at"#,
    ],
}
