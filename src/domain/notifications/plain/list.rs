//! Pages of plain notifications.

use sea_orm::{ConnectionTrait, DbBackend, Value};
use uuid::Uuid;

use super::{
    find::PlainRow,
    predicates::{exists_or_is_stored, is_stored, is_unread, kind, read_at, unmuted_from},
};
use crate::{
    db,
    domain::{
        notifications::position::{ListedNotification, NotificationPlace, NotificationPosition},
        predicates::{greatest, least},
        sessions::Viewer,
    },
    error::Error,
};

/// The rows of a table that belong to each row of the table before it. PostgreSQL might read the whole table otherwise.
fn rows_of(backend: DbBackend, table: &str, alias: &str, condition: &str) -> String {
    match backend {
        DbBackend::Postgres => {
            let rows = format!("SELECT {alias}.* FROM {table} {alias} WHERE {condition} OFFSET 0");
            format!("CROSS JOIN LATERAL ({rows}) AS {alias} WHERE")
        }
        _ => format!("CROSS JOIN {table} {alias} WHERE {condition} AND"),
    }
}

/// The spans of sequence numbers in which the messages notify a user, whose id it binds twice; with the columns of
/// `participant` that the predicates use.
fn spans(backend: DbBackend, unread_only: bool) -> String {
    let greatest = greatest(backend);
    let unmuted_from = unmuted_from("p");
    let first = if unread_only {
        "p.notified_from_seq, p.read_floor_seq + 1, p.notifications_read_seq + 1"
    } else {
        "p.notified_from_seq"
    };
    let of_participant = "s.participant_id = p.id";
    let join = rows_of(backend, "notification_span", "s", of_participant);
    format!(
        "SELECT p.*, {greatest}({first}, p.settings_from_seq, {unmuted_from}) AS first_seq,
             c.last_seq AS end_seq, p.notification_level = 'MENTIONS' AS mentions_only
         FROM participant p JOIN conversation c ON c.id = p.conversation_id
         WHERE p.user_id = ? AND p.notification_level <> 'NONE' AND c.last_seq >= {greatest}({first}, p.settings_from_seq)
         UNION ALL
         SELECT p.*, {greatest}({first}, s.from_seq) AS first_seq, s.to_seq AS end_seq, s.mentions_only
         FROM participant p {join} p.user_id = ? AND s.to_seq >= {greatest}({first}, 0)"
    )
}

/// The spans of [`spans`], `s`, and those in which the user followed threads: at the level MENTIONS, the replies of these
/// notify them too.
fn spans_and_threads(backend: DbBackend) -> String {
    let (greatest, least) = (greatest(backend), least(backend));
    let follows = "f.user_id = s.user_id AND f.conversation_id = s.conversation_id";
    let follows = rows_of(backend, "thread_follow", "f", follows);
    let followed = rows_of(
        backend,
        "thread_follow_span",
        "f",
        "f.participant_id = s.id",
    );
    format!(
        "SELECT s.*, s.first_seq AS from_seq, s.end_seq AS to_seq, CAST(NULL AS {uuid}) AS thread_id FROM span s
         UNION ALL
         SELECT s.*, {greatest}(s.first_seq, f.from_seq), s.end_seq, f.thread_id
         FROM span s {follows} s.mentions_only AND f.is_following AND f.from_seq <= s.end_seq
         UNION ALL
         SELECT s.*, {greatest}(s.first_seq, f.from_seq), {least}(s.end_seq, f.to_seq), f.thread_id
         FROM span s {followed} s.mentions_only AND f.from_seq <= s.end_seq AND f.to_seq >= s.first_seq",
        uuid = match backend {
            DbBackend::Postgres => "uuid",
            _ => "BLOB",
        }
    )
}

/// A page of plain notifications, newest first.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain::notifications) struct PlainPage {
    /// Only those that are unread.
    pub(in crate::domain::notifications) unread_only: bool,
    /// Whether the caller adds the stored notifications after the same position. The page then has all plain ones that
    /// are among the first of both, and not always as many as the limit.
    pub(in crate::domain::notifications) includes_stored: bool,
    /// The position before the page.
    pub(in crate::domain::notifications) after: Option<NotificationPosition>,
    /// The most items.
    pub(in crate::domain::notifications) limit: u64,
}

/// SQL for the id of the newest message of span `p`, and for the messages of its page, whose limit it binds three times. The
/// page begins at `page_from_seq`. Each kind of span has its index.
fn newest_and_page(condition: &str) -> (String, String) {
    let kinds = [
        ("NOT p.mentions_only", "true"),
        (
            "p.mentions_only AND p.thread_id IS NULL",
            "m.priority = 'URGENT'",
        ),
        (
            "p.thread_id IS NOT NULL",
            "m.root_id = p.thread_id AND m.priority <> 'URGENT'",
        ),
    ];
    let newest = kinds.map(|(is_kind, of_kind)| {
        format!(
            "WHEN {is_kind} THEN (SELECT m.id FROM message m WHERE {of_kind} AND m.seq >= p.from_seq AND {condition}
                 ORDER BY m.seq DESC LIMIT 1)"
        )
    });
    let pages = kinds.map(|(is_kind, of_kind)| {
        format!(
            "SELECT * FROM (SELECT m.* FROM message m WHERE {is_kind} AND {of_kind}
                 AND m.seq >= p.page_from_seq AND {condition} ORDER BY m.seq DESC LIMIT ?) AS part"
        )
    });
    let newest = format!("CASE {} END", newest.join(" "));
    (newest, pages.join(" UNION ALL "))
}

/// The viewer's plain notifications on a page.
///
/// The newest notification of each span decides which spans the page may come from: as many as the page has items. If
/// there are so many, nothing on the page is older than the newest notification of any of them. A page therefore reads one
/// message for each span, and few others. If the caller adds the stored ones, their messages count too: a user may have
/// thousands of them, and skipping them would read all.
pub(in crate::domain::notifications) async fn list<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    page: &PlainPage,
) -> Result<Vec<ListedNotification>, Error> {
    let PlainPage {
        unread_only,
        includes_stored,
        after,
        limit,
    } = *page;
    let backend = db.get_database_backend();
    let limit = i64::try_from(limit).map_err(Error::internal)?;
    let (greatest, least) = (greatest(backend), least(backend));
    let mut values: Vec<Value> = vec![viewer.user.into(), viewer.user.into()];
    // Stored notifications that are not on the page: those of an edit are later than their message, or were listed before.
    let mut elsewhere = "n.created_at <> m.created_at".to_owned();
    if unread_only {
        elsewhere.push_str(" OR n.read_at IS NOT NULL");
    }
    let bound = match after {
        None => "p.to_seq AS last_seq".to_owned(),
        Some(NotificationPosition(at, place)) => {
            values.push(at.into());
            let (before, after_id) = match place {
                NotificationPlace::Stored(id) => ("", id.0),
                NotificationPlace::Plain(conversation, seq) => {
                    values.extend([at.into(), conversation.into(), seq.into()]);
                    let before = "AND (m.created_at, m.conversation_id, m.seq) < (?, ?, ?)";
                    (before, Uuid::nil())
                }
            };
            values.extend([at.into(), after_id.into()]);
            elsewhere.push_str(" OR n.created_at >= p.after_at AND n.id >= p.after_id");
            // PostgreSQL does not guess the types of these columns.
            let (time, uuid) = match backend {
                DbBackend::Postgres => ("CAST(? AS timestamptz)", "CAST(? AS uuid)"),
                _ => ("?", "?"),
            };
            // The times of a conversation's messages are in the order of its sequence numbers.
            format!(
                "{least}(p.to_seq, COALESCE((SELECT m.seq FROM message m
                     WHERE m.conversation_id = p.conversation_id AND m.import_key IS NULL
                         AND m.created_at >= p.joined_at AND m.created_at <= ? {before}
                     ORDER BY m.created_at DESC, m.seq DESC LIMIT 1), 0)) AS last_seq,
                 {time} AS after_at, {uuid} AS after_id"
            )
        }
    };
    let skipped = if includes_stored {
        format!("AND ({elsewhere})")
    } else {
        String::new()
    };
    let mut condition = format!(
        "m.conversation_id = p.conversation_id AND m.seq <= p.last_seq AND {} AND NOT {}",
        exists_or_is_stored("m", "p"),
        is_stored("m", "p", &skipped)
    );
    if unread_only {
        condition = format!("{condition} AND {}", is_unread("m", "p"));
    }
    let read_at = read_at("m", "p");
    let (newest, page) = newest_and_page(&condition);
    // SQLite cannot join a subquery that refers to another table of the same FROM.
    let join = match backend {
        DbBackend::Postgres => format!("CROSS JOIN LATERAL ({page}) AS m WHERE true"),
        _ => format!(
            "CROSS JOIN message m WHERE m.id IN (SELECT id FROM ({}))",
            page.replace("m.*", "m.id")
        ),
    };
    let text = format!(
        "WITH span AS MATERIALIZED ({}),
         narrowed AS MATERIALIZED ({}),
         bounded AS MATERIALIZED (SELECT p.*, {bound} FROM narrowed p),
         newest AS MATERIALIZED (SELECT p.*, {newest} AS newest_id FROM bounded p),
         chosen AS MATERIALIZED (SELECT newest.*, t.created_at AS newest_at FROM newest {newest_message} true
             ORDER BY t.created_at DESC, t.conversation_id DESC, t.seq DESC LIMIT ?),
         oldest AS MATERIALIZED (SELECT CASE WHEN COUNT(*) >= ? THEN MIN(newest_at) END AS at FROM chosen),
         limited AS MATERIALIZED (SELECT p.*, {greatest}(p.from_seq, COALESCE((SELECT m.seq FROM message m
                 WHERE m.conversation_id = p.conversation_id AND m.import_key IS NULL AND m.created_at >= oldest.at
                 ORDER BY m.created_at, m.seq LIMIT 1), p.from_seq)) AS page_from_seq
             FROM chosen p CROSS JOIN oldest)
         SELECT m.id, m.conversation_id, m.seq, m.sender_id, m.created_at, {read_at} AS read_at, {} AS kind
         FROM limited p {join} AND NOT {is_stored}
         ORDER BY m.created_at DESC, m.conversation_id DESC, m.seq DESC LIMIT ?",
        spans(backend, unread_only),
        spans_and_threads(backend),
        kind("m", "p"),
        newest_message = rows_of(backend, "message", "t", "t.id = newest.newest_id"),
        is_stored = is_stored("m", "p", "")
    );
    values.extend(std::iter::repeat_n(Value::from(limit), 6));
    let rows: Vec<PlainRow> = db::fetch_all(db, &text, values).await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| row.listed(viewer.user)).collect())
}
