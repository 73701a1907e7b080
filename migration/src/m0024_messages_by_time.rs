//! The messages of a conversation, and those of one sender in it, by time: lists over several conversations merge them.

crate::ddl::step! {
    up: &[
        "CREATE INDEX message_time ON message (conversation_id, created_at, seq)",
        "CREATE INDEX message_sender_time ON message (conversation_id, sender_id, created_at, seq)",
    ],
    down: &["DROP INDEX message_sender_time", "DROP INDEX message_time"],
}
