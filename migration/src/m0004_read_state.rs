//! What each user has read: a mark for each scope, and sparse exceptions above it.
//!
//! A scope is the timeline of a conversation (with the conversation's id) or a thread (with the root's id).

crate::ddl::step! {
    creates: ["read_exception", "read_mark"],
    r#"CREATE TABLE read_mark (
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        lane_id {uuid} NOT NULL,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        PRIMARY KEY (user_id, lane_id)
    ) {table}"#,
    r#"CREATE INDEX read_mark_conversation ON read_mark (conversation_id, user_id)"#,
    r#"CREATE TABLE read_exception (
        user_id {uuid} NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
        lane_id {uuid} NOT NULL,
        conversation_id {uuid} NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        PRIMARY KEY (user_id, lane_id, seq)
    ) {table}"#,
    r#"CREATE INDEX read_exception_conversation ON read_exception (conversation_id, user_id)"#,
}
