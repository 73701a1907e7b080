//! The number of unread plain notifications.

use sea_orm::DbBackend;

use super::predicates::{exists, followed, is_accepted, is_unread};
use crate::domain::{
    predicates::{greatest, last_hidden, unread},
    reads::count::all_after,
};

/// SQL for the number of unread plain notifications of a user, whose id it binds.
///
/// Usually every unread message of a conversation notifies, and their number follows from sequence numbers, without those
/// that have stored notifications. While such a notification is unread, its message is; only an edit can mention a user
/// in a message that they have read.
#[must_use]
pub fn unread_count(backend: DbBackend) -> String {
    let greatest = greatest(backend);
    let start = format!(
        "{greatest}(p.read_floor_seq, {}, p.notified_from_seq - 1, p.notifications_read_seq)",
        last_hidden("p")
    );
    let unread_messages = all_after(backend, "c", "p", &start);
    let (exists, accepted, is_unread, is_unread_message) = (
        exists("m", "p"),
        is_accepted("m", "p"),
        is_unread("m", "p"),
        unread("m", "p"),
    );
    let followed = followed("p");
    let no_span = format!(
        "NOT EXISTS (SELECT 1 FROM notification_span s WHERE s.participant_id = p.id AND s.to_seq > {start})"
    );
    format!(
        "SELECT COALESCE(CAST(SUM(CASE
             WHEN p.notification_level = 'ALL' AND p.muted_until IS NULL AND p.settings_from_seq <= {start} + 1
                 AND NOT EXISTS (SELECT 1 FROM notification_mark k
                     WHERE k.participant_id = p.id AND k.to_seq > {start})
             THEN {unread_messages}
                 - (SELECT COUNT(*) FROM notification n CROSS JOIN message m
                     WHERE n.user_id = p.user_id AND n.conversation_id = p.conversation_id
                         AND m.id = n.message_id AND m.seq > {start}
                         AND (n.read_at IS NULL AND n.created_at = m.created_at OR {is_unread_message}))
             WHEN (p.notification_level = 'NONE' OR p.muted_until > c.last_activity_at) AND {no_span} THEN 0
             WHEN p.notification_level = 'MENTIONS' AND {no_span}
             THEN (SELECT COUNT(*) FROM message m WHERE m.conversation_id = p.conversation_id
                     AND m.priority = 'URGENT' AND m.seq > {start} AND {exists} AND {accepted} AND {is_unread})
                 + (SELECT COUNT(*) FROM ({followed}) f CROSS JOIN message m WHERE m.root_id = f.thread_id
                     AND m.seq > {greatest}({start}, f.from_seq - 1, COALESCE((SELECT k.seq FROM read_mark k
                         WHERE k.user_id = p.user_id AND k.lane_id = f.thread_id), 0))
                     AND m.seq <= f.to_seq AND m.priority <> 'URGENT' AND {exists} AND {accepted} AND {is_unread})
             ELSE (SELECT COUNT(*) FROM message m WHERE m.conversation_id = p.conversation_id
                 AND m.seq > {start} AND {exists} AND {accepted} AND {is_unread})
             END) AS BIGINT), 0)
         FROM participant p JOIN conversation c ON c.id = p.conversation_id
         WHERE p.user_id = ? AND c.last_seq > {start}"
    )
}
