//! Whether a plain message notifies a reader follows from the message and from the reader's membership, so that a message
//! to a group of any size stores no row for a reader. Rows remain for what names a user: mentions, replies in followed
//! threads, and changes of their memberships.
//!
//! `notified_from_seq`: earlier messages do not notify. `settings_from_seq`: the present notification level and mute
//! apply from this message on. `notifications_read_seq`: notifications of messages up to this one are read. `read_at`:
//! when the user last read in the conversation.

/// Stored notifications become the spans and marks from which they are derived.
const UP: &[&str] = &[
    "ALTER TABLE participant ADD COLUMN notified_from_seq INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE participant ADD COLUMN settings_from_seq INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE participant ADD COLUMN notifications_read_seq INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE participant ADD COLUMN read_at {time}",
    // Sequence numbers in which plain messages notified a participant, before the present settings.
    "CREATE TABLE notification_span (
        participant_id {uuid} NOT NULL REFERENCES participant (id) ON DELETE CASCADE,
        from_seq INTEGER NOT NULL,
        to_seq INTEGER NOT NULL,
        urgent_only {bool} NOT NULL,
        PRIMARY KEY (participant_id, from_seq)
    ) {table}",
    // Notifications of plain messages that were read or dismissed one by one, or whose messages are unread again.
    "CREATE TABLE notification_mark (
        participant_id {uuid} NOT NULL REFERENCES participant (id) ON DELETE CASCADE,
        scope_id {uuid} NOT NULL,
        is_dismissed {bool} NOT NULL,
        from_seq INTEGER NOT NULL,
        to_seq INTEGER NOT NULL,
        at {time} NOT NULL,
        PRIMARY KEY (participant_id, scope_id, is_dismissed, from_seq)
    ) {table}",
    "CREATE INDEX message_urgent ON message (conversation_id, seq) WHERE priority = 'URGENT'",
    "CREATE INDEX notification_place ON notification (user_id, conversation_id)",
    "DROP INDEX thread_follow_thread",
    "CREATE INDEX thread_follow_thread ON thread_follow (thread_id, user_id)",
    "UPDATE participant SET
        settings_from_seq = 1 + (SELECT c.last_seq FROM conversation c WHERE c.id = participant.conversation_id),
        read_at = (SELECT MAX(n.read_at) FROM notification n WHERE n.user_id = participant.user_id
            AND n.conversation_id = participant.conversation_id)",
    // Consecutive messages that notified form one span: no message that could notify is between them.
    "INSERT INTO notification_span (participant_id, from_seq, to_seq, urgent_only)
     SELECT participant_id, MIN(seq), MAX(seq), {false} FROM (
         SELECT participant_id, seq, is_notified, place - ROW_NUMBER() OVER (
             PARTITION BY participant_id, is_notified ORDER BY seq) AS island
         FROM (
             SELECT p.id AS participant_id, m.seq, (n.id IS NOT NULL) AS is_notified,
                 ROW_NUMBER() OVER (PARTITION BY p.id ORDER BY m.seq) AS place
             FROM participant p
             JOIN message m ON m.conversation_id = p.conversation_id
             LEFT JOIN notification n ON n.message_id = m.id AND n.user_id = p.user_id
             WHERE m.kind = 'USER' AND m.deleted_at IS NULL AND m.seq >= p.visible_from_seq
                 AND (m.sender_id IS NULL OR m.sender_id <> p.user_id)
                 AND (n.id IS NULL OR n.kind = 'MESSAGE')
                 AND EXISTS (SELECT 1 FROM notification o
                     WHERE o.user_id = p.user_id AND o.conversation_id = p.conversation_id AND o.kind = 'MESSAGE')
         ) AS candidate
     ) AS numbered
     WHERE is_notified GROUP BY participant_id, island",
    "INSERT INTO notification_mark (participant_id, scope_id, is_dismissed, from_seq, to_seq, at)
     SELECT p.id, COALESCE(m.root_id, m.conversation_id), {false}, m.seq, m.seq, n.read_at
     FROM notification n
     JOIN message m ON m.id = n.message_id
     JOIN participant p ON p.conversation_id = m.conversation_id AND p.user_id = n.user_id
     WHERE n.kind = 'MESSAGE' AND n.read_at IS NOT NULL AND m.seq > p.read_floor_seq",
    "DELETE FROM notification WHERE kind = 'MESSAGE'",
];

/// Stores a notification for each reader of each plain message that notified them.
const STORE: &str = "INSERT INTO notification
        (id, user_id, kind, message_id, conversation_id, created_at, read_at)
    SELECT {id of m.id}, p.user_id, 'MESSAGE', m.id, m.conversation_id, m.created_at,
        CASE WHEN m.seq > p.read_floor_seq AND m.seq > p.notifications_read_seq
            AND NOT EXISTS (SELECT 1 FROM read_mark k WHERE k.user_id = p.user_id
                AND k.lane_id = COALESCE(m.root_id, m.conversation_id) AND k.seq >= m.seq)
            AND NOT EXISTS (SELECT 1 FROM read_exception x WHERE x.user_id = p.user_id
                AND x.lane_id = COALESCE(m.root_id, m.conversation_id) AND x.seq = m.seq)
            AND NOT EXISTS (SELECT 1 FROM notification_mark k WHERE k.participant_id = p.id
                AND k.scope_id = COALESCE(m.root_id, m.conversation_id) AND NOT k.is_dismissed
                AND m.seq BETWEEN k.from_seq AND k.to_seq)
            THEN NULL ELSE COALESCE(p.read_at, m.created_at) END
    FROM participant p
    JOIN message m ON m.conversation_id = p.conversation_id
    WHERE m.kind = 'USER' AND m.deleted_at IS NULL AND m.seq >= p.visible_from_seq
        AND m.seq >= p.notified_from_seq
        AND (m.sender_id IS NULL OR m.sender_id <> p.user_id)
        AND CASE WHEN m.seq >= p.settings_from_seq
            THEN (p.notification_level = 'ALL' OR p.notification_level = 'MENTIONS' AND m.priority = 'URGENT')
                AND (p.muted_until IS NULL OR p.muted_until <= m.created_at)
            ELSE EXISTS (SELECT 1 FROM notification_span s WHERE s.participant_id = p.id
                AND m.seq BETWEEN s.from_seq AND s.to_seq
                AND (NOT s.urgent_only OR m.priority = 'URGENT')) END
        AND NOT EXISTS (SELECT 1 FROM notification n WHERE n.message_id = m.id AND n.user_id = p.user_id)
        AND NOT EXISTS (SELECT 1 FROM notification_mark k WHERE k.participant_id = p.id
            AND k.scope_id = COALESCE(m.root_id, m.conversation_id) AND k.is_dismissed
            AND m.seq BETWEEN k.from_seq AND k.to_seq)";

const DOWN: &[&str] = &[
    STORE,
    "DROP INDEX thread_follow_thread",
    "CREATE INDEX thread_follow_thread ON thread_follow (thread_id)",
    "DROP INDEX notification_place",
    "DROP INDEX message_urgent",
    "DROP TABLE notification_mark",
    "DROP TABLE notification_span",
    "ALTER TABLE participant DROP COLUMN read_at",
    "ALTER TABLE participant DROP COLUMN notifications_read_seq",
    "ALTER TABLE participant DROP COLUMN settings_from_seq",
    "ALTER TABLE participant DROP COLUMN notified_from_seq",
];

crate::ddl::step! { up: UP, down: DOWN }
