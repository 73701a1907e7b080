//! Conversations and their participants.

crate::ddl::step! {
    creates: ["participant", "conversation"],
    r#"CREATE TABLE conversation (
        id {uuid} NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT,
        topic TEXT,
        direct_key TEXT,
        history_visibility TEXT NOT NULL,
        created_by {uuid} REFERENCES "user" (id) ON DELETE SET NULL,
        last_seq INTEGER NOT NULL DEFAULT 0,
        last_root_seq INTEGER NOT NULL DEFAULT 0,
        event_seq {long} NOT NULL DEFAULT 0,
        created_at {time} NOT NULL,
        last_activity_at {time} NOT NULL
    ) {table}"#,
    r#"CREATE UNIQUE INDEX conversation_direct_key ON conversation (direct_key)"#,
    r#"CREATE TABLE participant (
        id {uuid} NOT NULL PRIMARY KEY,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        added_by {uuid} REFERENCES "user" (id) ON DELETE SET NULL,
        joined_at {time} NOT NULL,
        visible_from_seq INTEGER NOT NULL DEFAULT 0,
        read_floor_seq INTEGER NOT NULL DEFAULT 0,
        notification_level TEXT NOT NULL,
        muted_until {time},
        is_pinned {bool} NOT NULL,
        archived_seq INTEGER
    ) {table}"#,
    r#"CREATE UNIQUE INDEX participant_conversation_user ON participant (conversation_id, user_id)"#,
    r#"CREATE INDEX participant_user ON participant (user_id, conversation_id)"#,
}
