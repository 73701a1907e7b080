//! Replies keep their parents below the level to which tree order nests.

/// `branch_seq` is the sequence number of the ancestor at that level.
const UP: &[&str] = &[
    "ALTER TABLE message ADD COLUMN branch_seq INTEGER",
    "CREATE INDEX message_branch ON message (conversation_id, branch_seq) WHERE branch_seq IS NOT NULL",
];

/// Attaches deeper replies next to that ancestor, as earlier versions did. Their counts are those of other parents then:
/// `heddle doctor --recount` repairs them.
const DOWN: &[&str] = &[
    "UPDATE message SET
        parent_id = (SELECT b.parent_id FROM message b
            WHERE b.conversation_id = message.conversation_id AND b.seq = message.branch_seq),
        depth = (SELECT b.depth FROM message b
            WHERE b.conversation_id = message.conversation_id AND b.seq = message.branch_seq)
        WHERE branch_seq IS NOT NULL",
    "DROP INDEX message_branch",
    "ALTER TABLE message DROP COLUMN branch_seq",
];

crate::ddl::step! {
    up: UP,
    down: DOWN,
}
