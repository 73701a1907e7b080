//! The rules of plain notifications, as SQL conditions over message `m` and participant `p` of its conversation. They bind
//! no values.

use crate::domain::predicates::{sent_by_others, unread, visible_to};

/// Whether a mark of this kind covers message `m` for participant `p`.
fn is_marked(m: &str, p: &str, dismissed: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM notification_mark k WHERE k.participant_id = {p}.id
             AND k.scope_id = COALESCE({m}.root_id, {m}.conversation_id) AND {dismissed}
             AND k.from_seq <= {m}.seq AND k.to_seq >= {m}.seq)"
    )
}

/// Whether participant `p` followed the thread of message `m` when it was sent.
pub(super) fn follows(m: &str, p: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM thread_follow f WHERE f.user_id = {p}.user_id AND f.thread_id = {m}.root_id
             AND f.is_following AND f.from_seq <= {m}.seq)
         OR EXISTS (SELECT 1 FROM thread_follow_span f WHERE f.participant_id = {p}.id
             AND f.thread_id = {m}.root_id AND f.from_seq <= {m}.seq AND f.to_seq >= {m}.seq))"
    )
}

/// The threads that participant `p` follows or followed, with the sequence numbers in which they did.
pub(super) fn followed(p: &str) -> String {
    format!(
        "SELECT f.thread_id, f.from_seq, {} AS to_seq FROM thread_follow f
         WHERE f.user_id = {p}.user_id AND f.conversation_id = {p}.conversation_id AND f.is_following
         UNION ALL SELECT f.thread_id, f.from_seq, f.to_seq FROM thread_follow_span f
         WHERE f.participant_id = {p}.id",
        i32::MAX
    )
}

/// Whether message `m` was sent while participant `p` accepted plain notifications of it.
pub(super) fn is_accepted(m: &str, p: &str) -> String {
    let is_named = format!("({m}.priority = 'URGENT' OR {})", follows(m, p));
    format!(
        "CASE WHEN {m}.seq >= {p}.settings_from_seq THEN
             ({p}.notification_level = 'ALL' OR {p}.notification_level = 'MENTIONS' AND {is_named})
             AND ({p}.muted_until IS NULL OR {p}.muted_until <= {m}.created_at)
         ELSE EXISTS (SELECT 1 FROM notification_span s WHERE s.participant_id = {p}.id
             AND s.from_seq <= {m}.seq AND s.to_seq >= {m}.seq
             AND (NOT s.mentions_only OR {is_named})) END"
    )
}

/// Whether message `m` concerns participant `p` and was not dismissed.
fn concerns(m: &str, p: &str) -> String {
    format!(
        "{m}.kind = 'USER' AND {} AND {}
         AND {m}.seq >= {p}.notified_from_seq AND NOT {}",
        sent_by_others(m, p),
        visible_to(m, p),
        is_marked(m, p, "k.is_dismissed")
    )
}

/// Whether message `m`, which participant `p` accepts, has a plain notification.
pub(super) fn exists(m: &str, p: &str) -> String {
    format!(
        "{} AND NOT {}",
        exists_or_is_stored(m, p),
        is_stored(m, p, "")
    )
}

/// Whether message `m`, which participant `p` accepts, has a plain notification or a stored one.
pub(super) fn exists_or_is_stored(m: &str, p: &str) -> String {
    format!("{m}.deleted_at IS NULL AND {}", concerns(m, p))
}

/// Whether message `m` has a stored notification `n` for participant `p` that fulfils this condition, which begins with
/// `AND` unless it is empty.
pub(super) fn is_stored(m: &str, p: &str, condition: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM notification n
             WHERE n.message_id = {m}.id AND n.user_id = {p}.user_id {condition})"
    )
}

/// Whether the plain notification of message `m` for participant `p` is unread.
pub(super) fn is_unread(m: &str, p: &str) -> String {
    format!(
        "{m}.seq > {p}.notifications_read_seq AND {} AND NOT {}",
        unread(m, p),
        is_marked(m, p, "NOT k.is_dismissed")
    )
}

/// When the plain notification of message `m` became read for participant `p`; NULL while it is unread. Of a message
/// that was read in its conversation, when the user last read there.
pub(super) fn read_at(m: &str, p: &str) -> String {
    format!(
        "CASE WHEN {} THEN NULL ELSE COALESCE((SELECT k.at FROM notification_mark k
             WHERE k.participant_id = {p}.id AND k.scope_id = COALESCE({m}.root_id, {m}.conversation_id)
                 AND NOT k.is_dismissed AND k.from_seq <= {m}.seq AND k.to_seq >= {m}.seq
             ORDER BY k.from_seq LIMIT 1), {p}.read_at, {m}.created_at) END",
        of_one(m, &is_unread("u", p))
    )
}

/// The reason of the plain notification of message `m` for participant `p`.
pub(super) fn kind(m: &str, p: &str) -> String {
    let follows = of_one(m, &follows("u", p));
    format!("CASE WHEN {follows} THEN 'REPLY' ELSE 'MESSAGE' END")
}

/// Whether message `m` fulfils a condition over `u`, for a list of columns: as a scalar subquery, for which PostgreSQL
/// does not read the tables of the condition to their ends.
fn of_one(m: &str, condition: &str) -> String {
    format!("(SELECT u.id FROM message u WHERE u.id = {m}.id AND {condition}) IS NOT NULL")
}

/// The sequence number of the first message after the present mute of participant `p` of conversation `c`: times are in
/// the order of sequence numbers. 0 without a mute.
pub(super) fn unmuted_from(p: &str) -> String {
    format!(
        "CASE WHEN {p}.muted_until IS NULL THEN 0
             ELSE COALESCE((SELECT m.seq FROM message m WHERE m.conversation_id = {p}.conversation_id
                 AND m.import_key IS NULL AND m.created_at >= {p}.muted_until
                 ORDER BY m.created_at, m.seq LIMIT 1), c.last_seq + 1) END"
    )
}
