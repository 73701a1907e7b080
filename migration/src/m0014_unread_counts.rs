//! The index of timelines contains every column that decides whether a message is unread, so that counting does not
//! read the messages.

const DROP: &str = "DROP INDEX message_timeline";

crate::ddl::step! {
    up: &[
        DROP,
        "CREATE INDEX message_timeline
            ON message (conversation_id, seq, kind, deleted_at, sender_id) WHERE root_id IS NULL",
    ],
    down: &[
        DROP,
        "CREATE INDEX message_timeline ON message (conversation_id, seq) WHERE root_id IS NULL",
    ],
}
