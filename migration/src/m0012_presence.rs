//! Presence and typing, and the leases of running nodes. Only the status that users set outlasts the nodes.

crate::ddl::step! {
    creates: ["typing", "connected", "node", "presence"],
    r#"CREATE TABLE presence (
        user_id {uuid} NOT NULL PRIMARY KEY REFERENCES "user" (id) ON DELETE CASCADE,
        is_shared {bool} NOT NULL DEFAULT TRUE,
        status TEXT,
        status_text TEXT,
        lapses_at {time},
        changed_at {time} NOT NULL
    ) {table}"#,
    r#"CREATE INDEX presence_changed ON presence (changed_at)"#,
    r#"CREATE INDEX presence_lapses ON presence (lapses_at) WHERE lapses_at IS NOT NULL"#,
    r#"CREATE {unlogged} TABLE node (
        id {uuid} NOT NULL PRIMARY KEY,
        expires_at {time} NOT NULL
    ) {table}"#,
    r#"CREATE {unlogged} TABLE connected (
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        node_id {uuid} NOT NULL REFERENCES node (id) ON DELETE CASCADE,
        PRIMARY KEY (user_id, node_id)
    ) {table}"#,
    r#"CREATE INDEX connected_node ON connected (node_id)"#,
    // The place is a thread, or else a conversation.
    r#"CREATE {unlogged} TABLE typing (
        place_id {uuid} NOT NULL,
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        thread_id {uuid},
        expires_at {time} NOT NULL,
        changed_at {time} NOT NULL,
        PRIMARY KEY (place_id, user_id)
    ) {table}"#,
    r#"CREATE INDEX typing_changed ON typing (changed_at)"#,
    r#"CREATE INDEX typing_user ON typing (user_id)"#,
    r#"CREATE INDEX typing_conversation ON typing (conversation_id)"#,
}
