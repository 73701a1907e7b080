//! The number of root messages of a conversation up to each message, in total and of its sender, so that an unread
//! count is a difference. Notices are not counted, and deleted messages are. Both counts have their own index.

const UP: &[&str] = &[
    "ALTER TABLE conversation ADD COLUMN root_count INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE message ADD COLUMN root_count INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE message ADD COLUMN sender_root_count INTEGER",
    "UPDATE message SET root_count = counted.roots
     FROM (SELECT id, SUM(CASE WHEN root_id IS NULL AND kind = 'USER' THEN 1 ELSE 0 END)
               OVER (PARTITION BY conversation_id ORDER BY seq) AS roots
           FROM message) AS counted
     WHERE message.id = counted.id",
    "UPDATE message SET sender_root_count = counted.roots
     FROM (SELECT id, SUM(CASE WHEN root_id IS NULL THEN 1 ELSE 0 END)
               OVER (PARTITION BY conversation_id, sender_id ORDER BY seq) AS roots
           FROM message WHERE sender_id IS NOT NULL) AS counted
     WHERE message.id = counted.id",
    "UPDATE conversation SET root_count = (SELECT COUNT(*) FROM message m
         WHERE m.conversation_id = conversation.id AND m.root_id IS NULL AND m.kind = 'USER')",
    "DROP INDEX message_timeline",
    "CREATE INDEX message_timeline ON message (conversation_id, seq) WHERE root_id IS NULL",
    "DROP INDEX message_sender",
    "CREATE INDEX message_sender ON message (sender_id, conversation_id, seq, sender_root_count)",
    "CREATE INDEX message_erased ON message (conversation_id, seq, sender_id, root_id)
         WHERE deleted_at IS NOT NULL AND kind = 'USER'",
    "CREATE INDEX message_notice ON message (conversation_id, seq) WHERE kind = 'NOTICE'",
];

const DOWN: &[&str] = &[
    "DROP INDEX message_notice",
    "DROP INDEX message_erased",
    "DROP INDEX message_sender",
    "CREATE INDEX message_sender ON message (sender_id, conversation_id)",
    "DROP INDEX message_timeline",
    "CREATE INDEX message_timeline ON message (conversation_id, seq, kind, deleted_at, sender_id)
         WHERE root_id IS NULL",
    "ALTER TABLE message DROP COLUMN sender_root_count",
    "ALTER TABLE message DROP COLUMN root_count",
    "ALTER TABLE conversation DROP COLUMN root_count",
];

crate::ddl::step! {
    up: UP,
    down: DOWN,
}
