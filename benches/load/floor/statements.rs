//! The statements of the floors, which run on both databases.

pub(crate) const TIMELINE: &str = r#"SELECT m.id, m.body, m.created_at, m.reply_count, u.id, u.display_name, m.parent_id, m.depth
    FROM message m JOIN "user" u ON u.id = m.sender_id
    WHERE m.conversation_id = $1 AND m.root_id IS NULL ORDER BY m.seq DESC LIMIT 50"#;
pub(super) const THREAD: &str = r#"SELECT m.id, m.body, m.created_at, m.reply_count, u.id, u.display_name, m.parent_id, m.depth
    FROM message m JOIN "user" u ON u.id = m.sender_id WHERE m.root_id = $1 ORDER BY m.path LIMIT 200"#;
/// Counts unread messages one by one: without additional columns there is no other way.
pub(super) const INBOX: &str = r#"SELECT c.id, c.title, (SELECT COUNT(*) FROM message m WHERE m.conversation_id = c.id
        AND m.root_id IS NULL AND m.seq > p.read_floor_seq AND m.sender_id <> p.user_id)
    FROM participant p JOIN conversation c ON c.id = p.conversation_id
    WHERE p.user_id = $1 ORDER BY c.last_activity_at DESC LIMIT 50"#;
pub(crate) const NEXT_SEQ: &str =
    "UPDATE conversation SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq";
pub(super) const INSERT: &str = "INSERT INTO message (id, conversation_id, seq, sender_id, depth, path, kind, priority, body, created_at)
    VALUES ($1, $2, $3, $4, 0, $5, 'USER', 'NORMAL', $6, $7)";
pub(crate) const LARGEST_CONVERSATION: &str =
    "SELECT id FROM conversation ORDER BY last_seq DESC, id LIMIT 1";
pub(super) const LONGEST_THREAD: &str =
    "SELECT id FROM thread ORDER BY abs(reply_count - 199), id LIMIT 1";
/// Groups of the floor: its messages must not be unread for a user who is measured.
pub(crate) const GROUPS: &str =
    "SELECT id FROM conversation WHERE title LIKE 'Floor %' ORDER BY title";
pub(crate) const SENDER: &str = r#"SELECT id FROM "user" WHERE username = 'bench'"#;
pub(super) const READERS: &str =
    r#"SELECT id FROM "user" WHERE username LIKE 'reader_' ORDER BY username"#;
