//! Messages, their threads, revisions and mentions.

crate::ddl::step! {
    creates: ["mention", "message_revision", "thread_follow", "thread", "message"],
    // `path` is the parent's path followed by `seq` in 4 bytes, most significant first: byte order
    // is pre-order of the tree, on both databases.
    r#"CREATE TABLE message (
        id {uuid} NOT NULL PRIMARY KEY,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        sender_id {uuid} REFERENCES "user" (id) ON DELETE SET NULL,
        parent_id {uuid} REFERENCES message (id),
        root_id {uuid} REFERENCES message (id),
        depth INTEGER NOT NULL,
        path {bytes} NOT NULL,
        reply_count INTEGER NOT NULL DEFAULT 0,
        descendant_count INTEGER NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        priority TEXT NOT NULL,
        body TEXT,
        notice TEXT,
        client_message_id TEXT,
        content_hash {bytes},
        created_at {time} NOT NULL,
        edited_at {time},
        deleted_at {time}
    ) {table}"#,
    r#"CREATE UNIQUE INDEX message_conversation_seq ON message (conversation_id, seq)"#,
    r#"CREATE UNIQUE INDEX message_client_key
        ON message (conversation_id, sender_id, client_message_id)"#,
    r#"CREATE INDEX message_timeline ON message (conversation_id, seq) WHERE root_id IS NULL"#,
    r#"CREATE INDEX message_tree ON message (root_id, path)"#,
    r#"CREATE INDEX message_thread_seq ON message (root_id, seq)"#,
    r#"CREATE INDEX message_parent ON message (parent_id, seq)"#,
    r#"CREATE INDEX message_sender ON message (sender_id, conversation_id)"#,
    r#"CREATE TABLE thread (
        id {uuid} NOT NULL PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        reply_count INTEGER NOT NULL,
        last_reply_seq INTEGER NOT NULL,
        last_activity_at {time} NOT NULL
    ) {table}"#,
    r#"CREATE INDEX thread_conversation ON thread (conversation_id, last_activity_at, id)"#,
    r#"CREATE TABLE thread_follow (
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        thread_id {uuid} NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        is_following {bool} NOT NULL,
        PRIMARY KEY (user_id, thread_id)
    ) {table}"#,
    r#"CREATE INDEX thread_follow_thread ON thread_follow (thread_id)"#,
    r#"CREATE INDEX thread_follow_conversation ON thread_follow (conversation_id)"#,
    r#"CREATE TABLE message_revision (
        id {uuid} NOT NULL PRIMARY KEY,
        message_id {uuid} NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        reason TEXT,
        editor_id {uuid} REFERENCES "user" (id) ON DELETE SET NULL,
        replaced_at {time} NOT NULL
    ) {table}"#,
    r#"CREATE UNIQUE INDEX message_revision_number ON message_revision (message_id, number)"#,
    r#"CREATE INDEX message_revision_editor ON message_revision (editor_id)"#,
    r#"CREATE TABLE mention (
        message_id {uuid} NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        PRIMARY KEY (message_id, user_id)
    ) {table}"#,
    r#"CREATE INDEX mention_user ON mention (user_id, conversation_id, seq)"#,
    r#"CREATE INDEX mention_conversation ON mention (conversation_id)"#,
}
