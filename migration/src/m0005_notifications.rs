//! Notifications.

crate::ddl::step! {
    creates: ["notification"],
    r#"CREATE TABLE notification (
        id {uuid} NOT NULL PRIMARY KEY,
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        actor_id {uuid} REFERENCES "user" (id) ON DELETE SET NULL,
        message_id {uuid} REFERENCES message (id) ON DELETE CASCADE,
        conversation_id {uuid} REFERENCES conversation (id) ON DELETE CASCADE,
        created_at {time} NOT NULL,
        read_at {time}
    ) {table}"#,
    r#"CREATE INDEX notification_user ON notification (user_id, created_at, id)"#,
    r#"CREATE INDEX notification_unread ON notification (user_id) WHERE read_at IS NULL"#,
    // A message notifies a user once, even if the background job runs again.
    r#"CREATE UNIQUE INDEX notification_message ON notification (message_id, user_id)"#,
    r#"CREATE INDEX notification_conversation ON notification (conversation_id)"#,
    r#"CREATE INDEX notification_actor ON notification (actor_id)"#,
}
