//! Failed sign-ins are counted by login, for known logins too: the counter of an account would show which name belongs to
//! which email address. The account keeps a counter of wrong passwords of its signed-in user, which starts at 0.

crate::ddl::step! {
    up: &[
        "ALTER TABLE unknown_sign_in RENAME TO sign_in_attempt",
        "DROP INDEX unknown_sign_in_tried",
        "CREATE INDEX sign_in_attempt_tried ON sign_in_attempt (tried_at)",
        r#"UPDATE "user" SET failed_sign_ins = 0, sign_in_blocked_until = NULL
            WHERE failed_sign_ins > 0"#,
    ],
    down: &[
        "ALTER TABLE sign_in_attempt RENAME TO unknown_sign_in",
        "DROP INDEX sign_in_attempt_tried",
        "CREATE INDEX unknown_sign_in_tried ON unknown_sign_in (tried_at)",
    ],
}
