//! Failed sign-ins with unknown names, stored in a form that does not reveal the names.

crate::ddl::step! {
    creates: ["unknown_sign_in"],
    r#"CREATE TABLE unknown_sign_in (
        login {bytes} NOT NULL PRIMARY KEY,
        failed_sign_ins INTEGER NOT NULL,
        sign_in_blocked_until {time},
        tried_at {time} NOT NULL
    ) {table}"#,
    r#"CREATE INDEX unknown_sign_in_tried ON unknown_sign_in (tried_at)"#,
}
