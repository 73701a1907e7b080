//! The number of participants of each conversation, and the place of each participant in the list of its conversation,
//! so that no query reads all of them.

/// `sort_key` is the rank of the role, the name of the user and, after a tab, which no name contains, the id.
const UP: &[&str] = &[
    "ALTER TABLE conversation ADD COLUMN participant_count INTEGER NOT NULL DEFAULT 0",
    "UPDATE conversation SET participant_count = (SELECT COUNT(*) FROM participant p
         WHERE p.conversation_id = conversation.id)",
    "ALTER TABLE participant ADD COLUMN sort_key {characters} NOT NULL DEFAULT ''",
    "UPDATE participant SET sort_key = (SELECT CASE WHEN participant.role = 'OWNER' THEN '0' ELSE '1' END
             || substr(u.display_name_key, 1, 100) || '\t' || {hex of u.id}
         FROM \"user\" u WHERE u.id = participant.user_id)",
    "CREATE INDEX participant_sort ON participant (conversation_id, sort_key)",
    "CREATE INDEX participant_role ON participant (role, conversation_id, sort_key)",
];

const DOWN: &[&str] = &[
    "DROP INDEX participant_role",
    "DROP INDEX participant_sort",
    "ALTER TABLE participant DROP COLUMN sort_key",
    "ALTER TABLE conversation DROP COLUMN participant_count",
];

crate::ddl::step! {
    up: UP,
    down: DOWN,
}
