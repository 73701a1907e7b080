//! What each person has read: a mark for each lane and sparse exceptions above it.
//!
//! A lane is a conversation's timeline (its id is the conversation's) or one thread (the root's).

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
