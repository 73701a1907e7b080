//! Users who block other users.

crate::ddl::step! {
    up: &[
        r#"CREATE TABLE block (
            blocker_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
            blocked_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
            created_at {time} NOT NULL,
            PRIMARY KEY (blocker_id, blocked_id)
        ) {table}"#,
        "CREATE INDEX block_blocked ON block (blocked_id)",
        "CREATE INDEX block_list ON block (blocker_id, created_at, blocked_id)",
    ],
    down: &["DROP TABLE block"],
}
