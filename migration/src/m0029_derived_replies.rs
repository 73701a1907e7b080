//! A reply notifies the followers of its thread as a plain message notifies its readers: without a row for each of them.
//! Rows remain for mentions and for changes of memberships.
//!
//! `from_seq`: the user follows the thread from this message on. `thread_follow_span`: the sequence numbers in which they
//! followed it before.

/// Stored notifications become the spans and marks from which they are derived.
const UP: &[&str] = &[
    "ALTER TABLE notification_span RENAME COLUMN urgent_only TO mentions_only",
    "ALTER TABLE thread_follow ADD COLUMN from_seq INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE thread_follow_span (
        participant_id {uuid} NOT NULL REFERENCES participant (id) ON DELETE CASCADE,
        thread_id {uuid} NOT NULL REFERENCES message (id) ON DELETE CASCADE,
        from_seq INTEGER NOT NULL,
        to_seq INTEGER NOT NULL,
        PRIMARY KEY (participant_id, thread_id, from_seq)
    ) {table}",
    "CREATE INDEX thread_follow_span_thread ON thread_follow_span (thread_id)",
    "DROP INDEX thread_follow_conversation",
    "CREATE INDEX thread_follow_conversation ON thread_follow (conversation_id, user_id)",
    "UPDATE thread_follow SET from_seq = 1 + (SELECT c.last_seq FROM conversation c
        WHERE c.id = thread_follow.conversation_id)",
    // Consecutive replies that notified form one span: no reply that could notify is between them.
    "INSERT INTO thread_follow_span (participant_id, thread_id, from_seq, to_seq)
     SELECT participant_id, thread_id, MIN(seq), MAX(seq) FROM (
         SELECT participant_id, thread_id, seq, is_notified, place - ROW_NUMBER() OVER (
             PARTITION BY participant_id, thread_id, is_notified ORDER BY seq) AS island
         FROM (
             SELECT p.id AS participant_id, f.thread_id, m.seq, (n.id IS NOT NULL) AS is_notified,
                 ROW_NUMBER() OVER (PARTITION BY p.id, f.thread_id ORDER BY m.seq) AS place
             FROM thread_follow f
             JOIN participant p ON p.conversation_id = f.conversation_id AND p.user_id = f.user_id
             JOIN message m ON m.root_id = f.thread_id
             LEFT JOIN notification n ON n.message_id = m.id AND n.user_id = f.user_id
             WHERE m.kind = 'USER' AND m.deleted_at IS NULL AND m.seq >= p.visible_from_seq
                 AND (m.sender_id IS NULL OR m.sender_id <> f.user_id)
                 AND (n.id IS NULL OR n.kind = 'REPLY')
         ) AS candidate
     ) AS numbered
     WHERE is_notified GROUP BY participant_id, thread_id, island",
    // Earlier versions stored no span for a level at which only mentions and followed threads notified.
    "INSERT INTO notification_span (participant_id, from_seq, to_seq, mentions_only)
     SELECT p.id, m.seq, m.seq, {true}
     FROM notification n
     JOIN message m ON m.id = n.message_id
     JOIN participant p ON p.conversation_id = m.conversation_id AND p.user_id = n.user_id
     WHERE n.kind = 'REPLY' AND m.seq < p.settings_from_seq
         AND NOT EXISTS (SELECT 1 FROM notification_span s WHERE s.participant_id = p.id
             AND m.seq BETWEEN s.from_seq AND s.to_seq)",
    "INSERT INTO notification_mark (participant_id, scope_id, is_dismissed, from_seq, to_seq, at)
     SELECT p.id, m.root_id, {false}, m.seq, m.seq, n.read_at
     FROM notification n
     JOIN message m ON m.id = n.message_id
     JOIN participant p ON p.conversation_id = m.conversation_id AND p.user_id = n.user_id
     WHERE n.kind = 'REPLY' AND n.read_at IS NOT NULL AND m.seq > p.read_floor_seq
     ON CONFLICT DO NOTHING",
    "DELETE FROM notification WHERE kind = 'REPLY'",
    "DELETE FROM job WHERE kind = 'NotifyOfMessage'",
];

/// Stores a notification for each follower of each reply that notified them.
const STORE: &str = "INSERT INTO notification
        (id, user_id, kind, message_id, conversation_id, created_at, read_at)
    SELECT {id of m.id}, p.user_id, 'REPLY', m.id, m.conversation_id, m.created_at,
        CASE WHEN m.seq > p.read_floor_seq AND m.seq > p.notifications_read_seq
            AND NOT EXISTS (SELECT 1 FROM read_mark k WHERE k.user_id = p.user_id
                AND k.lane_id = m.root_id AND k.seq >= m.seq)
            AND NOT EXISTS (SELECT 1 FROM read_exception x WHERE x.user_id = p.user_id
                AND x.lane_id = m.root_id AND x.seq = m.seq)
            AND NOT EXISTS (SELECT 1 FROM notification_mark k WHERE k.participant_id = p.id
                AND k.scope_id = m.root_id AND NOT k.is_dismissed
                AND m.seq BETWEEN k.from_seq AND k.to_seq)
            THEN NULL ELSE COALESCE(p.read_at, m.created_at) END
    FROM (SELECT user_id, thread_id, conversation_id, from_seq, 2147483647 AS to_seq
            FROM thread_follow WHERE is_following
        UNION ALL
        SELECT o.user_id, s.thread_id, o.conversation_id, s.from_seq, s.to_seq
            FROM thread_follow_span s JOIN participant o ON o.id = s.participant_id) AS followed
    JOIN participant p ON p.conversation_id = followed.conversation_id AND p.user_id = followed.user_id
    JOIN message m ON m.root_id = followed.thread_id
    WHERE m.seq BETWEEN followed.from_seq AND followed.to_seq
        AND m.kind = 'USER' AND m.deleted_at IS NULL AND m.seq >= p.visible_from_seq
        AND m.seq >= p.notified_from_seq
        AND (m.sender_id IS NULL OR m.sender_id <> p.user_id)
        AND CASE WHEN m.seq >= p.settings_from_seq
            THEN p.notification_level <> 'NONE' AND (p.muted_until IS NULL OR p.muted_until <= m.created_at)
            ELSE EXISTS (SELECT 1 FROM notification_span s WHERE s.participant_id = p.id
                AND m.seq BETWEEN s.from_seq AND s.to_seq) END
        AND NOT EXISTS (SELECT 1 FROM notification n WHERE n.message_id = m.id AND n.user_id = p.user_id)
        AND NOT EXISTS (SELECT 1 FROM notification_mark k WHERE k.participant_id = p.id
            AND k.scope_id = m.root_id AND k.is_dismissed
            AND m.seq BETWEEN k.from_seq AND k.to_seq)";

const DOWN: &[&str] = &[
    STORE,
    "DROP INDEX thread_follow_conversation",
    "CREATE INDEX thread_follow_conversation ON thread_follow (conversation_id)",
    "DROP TABLE thread_follow_span",
    "ALTER TABLE thread_follow DROP COLUMN from_seq",
    "ALTER TABLE notification_span RENAME COLUMN mentions_only TO urgent_only",
];

crate::ddl::step! { up: UP, down: DOWN }
