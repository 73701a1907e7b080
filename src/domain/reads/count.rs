//! Unread counts in constant time, from sequence numbers instead of a scan. Each count equals the number of messages
//! that [`unread`](crate::domain::predicates::unread) selects; a property test verifies this. Reads only.
//!
//! Sequence numbers have no gaps, and each root message stores its ordinal, so the number of messages after a position
//! is a difference. The few messages that do not count are subtracted: the participant's own messages, notices, deleted
//! messages, and messages read out of order.

use sea_orm::DbBackend;

use crate::domain::predicates::{greatest, last_hidden, read_up_to, sent_by_others};

/// SQL for the number of unread root messages in conversation `c` for participant `p`, both table aliases. It binds no
/// values.
///
/// Deleted messages are counted without a condition for roots: with one, a database without statistics takes the index of the
/// timeline, and reads every unread message instead of the deleted ones.
#[must_use]
pub fn timeline(backend: DbBackend, c: &str, p: &str) -> String {
    const BEHIND: &str = "m.seq > scope.start AND m.root_id IS NULL";
    let start = read_up_to(backend, p, &format!("{c}.id"));
    let (by_others, once) = (sent_by_others("m", p), once(backend));
    let (own, own_before) = (sent_by(backend, "m", p), sent_by(backend, "b", p));
    format!(
        "(SELECT {c}.root_count
             - COALESCE((SELECT m.root_count FROM message m
                 WHERE m.conversation_id = {c}.id AND m.seq = scope.start), 0)
             - COALESCE((SELECT m.sender_root_count - COALESCE((SELECT b.sender_root_count
                     FROM message b WHERE {own_before} AND b.conversation_id = {c}.id
                         AND b.seq <= scope.start ORDER BY b.seq DESC LIMIT 1), 0)
                 FROM message m WHERE {own} AND m.conversation_id = {c}.id
                     AND m.seq > scope.start ORDER BY m.seq DESC LIMIT 1), 0)
             - (SELECT COUNT(CASE WHEN m.root_id IS NULL THEN 1 END) FROM message m
                 WHERE m.conversation_id = {c}.id AND m.seq > scope.start
                     AND m.kind = 'USER' AND m.deleted_at IS NOT NULL AND {by_others})
             - (SELECT COUNT(*) FROM read_exception x CROSS JOIN message m
                 WHERE x.user_id = {p}.user_id AND x.lane_id = {c}.id AND x.seq > scope.start
                     AND m.conversation_id = x.lane_id AND m.seq = x.seq AND {BEHIND}
                     AND m.kind = 'USER' AND m.deleted_at IS NULL AND {by_others})
         FROM (SELECT {start} AS start{once}) AS scope)"
    )
}

/// SQL for the number of unread messages, replies included, in conversation `c` for participant `p`. It binds no
/// values.
#[must_use]
pub fn all(backend: DbBackend, c: &str, p: &str) -> String {
    let greatest = greatest(backend);
    let start = format!("{greatest}({p}.read_floor_seq, {})", last_hidden(p));
    all_after(backend, c, p, &start)
}

/// [`all`] of the messages after the sequence number `start`, an SQL expression: at least the floor, and at least that of
/// the last hidden message.
#[must_use]
pub fn all_after(backend: DbBackend, c: &str, p: &str, start: &str) -> String {
    const BEHIND: &str = "m.conversation_id = span.place AND m.seq > span.start";
    let once = once(backend);
    let by_others = sent_by_others("m", p);
    let counts = format!("m.kind = 'USER' AND m.deleted_at IS NULL AND {by_others}");
    format!(
        "(SELECT span.last - span.start
             - (SELECT COUNT(*) FROM message m WHERE {BEHIND} AND m.kind = 'NOTICE')
             - (SELECT COUNT(*) FROM message m WHERE m.sender_id = {p}.user_id AND {BEHIND})
             - (SELECT COUNT(*) FROM message m WHERE {BEHIND}
                 AND m.kind = 'USER' AND m.deleted_at IS NOT NULL AND {by_others})
             - COALESCE((SELECT CAST(SUM(CASE WHEN k.lane_id = span.place
                     THEN (SELECT COUNT(*) FROM message m WHERE {BEHIND} AND m.seq <= k.seq
                         AND m.root_id IS NULL AND {counts})
                     ELSE (SELECT COUNT(*) FROM message m WHERE m.root_id = k.lane_id
                         AND m.seq > span.start AND m.seq <= k.seq AND {counts}) END) AS BIGINT)
                 FROM read_mark k WHERE k.conversation_id = span.place AND k.user_id = {p}.user_id
                     AND k.seq > span.start), 0)
             - (SELECT COUNT(*) FROM read_exception x CROSS JOIN message m
                 WHERE x.conversation_id = span.place AND x.user_id = {p}.user_id
                     AND x.seq > span.start AND m.conversation_id = x.conversation_id
                     AND m.seq = x.seq AND {counts}
                     AND NOT EXISTS (SELECT 1 FROM read_mark k WHERE k.user_id = x.user_id
                         AND k.lane_id = x.lane_id AND k.seq >= x.seq))
         FROM (SELECT {c}.id AS place, {c}.last_seq AS last, {start} AS start{once}) AS span)"
    )
}

/// Whether participant `p` sent message `m`, for a search of the last such message. PostgreSQL assumes that every sender of a
/// table wrote recently in every conversation, and reads all its messages backwards for one who did not. The range, which
/// excludes nothing, makes it expect few messages, so that it takes the index of the sender.
fn sent_by(backend: DbBackend, m: &str, p: &str) -> String {
    let is_sender = format!("{m}.sender_id = {p}.user_id");
    match backend {
        DbBackend::Postgres => {
            format!("{is_sender} AND {m}.sender_id BETWEEN {p}.user_id AND {p}.user_id")
        }
        _ => is_sender,
    }
}

/// The clause that keeps PostgreSQL from evaluating a subquery at each use of its column.
fn once(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => " OFFSET 0",
        _ => "",
    }
}
