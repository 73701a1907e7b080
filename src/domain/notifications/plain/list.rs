//! Pages of plain notifications.

use sea_orm::{ConnectionTrait, DbBackend, Value};

use super::{
    find::PlainRow,
    predicates::{exists, extremes, is_unread, read_at, unmuted_from},
};
use crate::{
    db,
    domain::{
        notifications::position::{ListedNotification, NotificationPlace, NotificationPosition},
        sessions::Viewer,
    },
    error::Error,
};

/// The spans `p` of sequence numbers in which the messages notify a user, whose id it binds twice; with the columns of
/// `participant` that the predicates use.
fn spans(backend: DbBackend, unread_only: bool) -> String {
    let (greatest, _) = extremes(backend);
    let unmuted_from = unmuted_from("p");
    let first = if unread_only {
        "p.notified_from_seq, p.read_floor_seq + 1, p.notifications_read_seq + 1"
    } else {
        "p.notified_from_seq"
    };
    // Otherwise PostgreSQL may start from the spans of all users.
    let join = match backend {
        DbBackend::Postgres => {
            "CROSS JOIN LATERAL (SELECT n.* FROM notification_span n WHERE n.participant_id = p.id OFFSET 0) AS s
             WHERE"
        }
        _ => "CROSS JOIN notification_span s WHERE s.participant_id = p.id AND",
    };
    format!(
        "SELECT p.*, {greatest}({first}, p.settings_from_seq, {unmuted_from}) AS from_seq,
             c.last_seq AS to_seq, p.notification_level = 'MENTIONS' AS urgent_only
         FROM participant p JOIN conversation c ON c.id = p.conversation_id
         WHERE p.user_id = ? AND p.notification_level <> 'NONE' AND c.last_seq >= {greatest}({first}, p.settings_from_seq)
         UNION ALL
         SELECT p.*, {greatest}({first}, s.from_seq) AS from_seq, s.to_seq, s.urgent_only
         FROM participant p {join} p.user_id = ? AND s.to_seq >= {greatest}({first}, 0)"
    )
}

/// The viewer's plain notifications after this position, newest first.
///
/// The newest notification of each span decides which spans the page may come from: as many as the page has items. A
/// page therefore reads one message for each span, and a page for each of a few.
pub(in crate::domain::notifications) async fn list<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    unread_only: bool,
    after: Option<NotificationPosition>,
    limit: u64,
) -> Result<Vec<ListedNotification>, Error> {
    let backend = db.get_database_backend();
    let limit = i64::try_from(limit).map_err(Error::internal)?;
    let (_, least) = extremes(backend);
    let mut values: Vec<Value> = vec![viewer.user.into(), viewer.user.into()];
    let bound = match after {
        None => "p.to_seq".to_owned(),
        Some(NotificationPosition(at, place)) => {
            values.push(at.into());
            let before = match place {
                NotificationPlace::Stored(_) => "",
                NotificationPlace::Plain(conversation, seq) => {
                    values.extend([at.into(), conversation.into(), seq.into()]);
                    "AND (m.created_at, m.conversation_id, m.seq) < (?, ?, ?)"
                }
            };
            // The times of a conversation's messages are in the order of its sequence numbers.
            format!(
                "{least}(p.to_seq, COALESCE((SELECT m.seq FROM message m
                     WHERE m.conversation_id = p.conversation_id AND m.import_key IS NULL
                         AND m.created_at >= p.joined_at AND m.created_at <= ? {before}
                     ORDER BY m.created_at DESC, m.seq DESC LIMIT 1), 0))"
            )
        }
    };
    let condition = |m: &str| {
        let exists = exists(m, "p");
        let within = format!(
            "{m}.conversation_id = p.conversation_id AND {m}.seq >= p.from_seq AND {m}.seq <= p.last_seq"
        );
        if unread_only {
            format!("{within} AND {exists} AND {}", is_unread(m, "p"))
        } else {
            format!("{within} AND {exists}")
        }
    };
    let (in_span, read_at) = (condition("m"), read_at("m", "p"));
    let page = format!(
        "SELECT * FROM (SELECT m.* FROM message m WHERE NOT p.urgent_only AND {in_span}
             ORDER BY m.seq DESC LIMIT ?) AS every
         UNION ALL
         SELECT * FROM (SELECT m.* FROM message m WHERE p.urgent_only AND m.priority = 'URGENT' AND {in_span}
             ORDER BY m.seq DESC LIMIT ?) AS urgent"
    );
    // SQLite cannot join a subquery that refers to another table of the same FROM.
    let join = match backend {
        DbBackend::Postgres => format!("CROSS JOIN LATERAL ({page}) AS m"),
        _ => format!(
            "CROSS JOIN message m WHERE m.id IN (SELECT id FROM ({}))",
            page.replace("m.*", "m.id")
        ),
    };
    let text = format!(
        "WITH span AS MATERIALIZED ({}),
         bounded AS MATERIALIZED (SELECT p.*, {bound} AS last_seq FROM span p),
         newest AS MATERIALIZED (SELECT p.*, CASE WHEN p.urgent_only
             THEN (SELECT m.id FROM message m WHERE m.priority = 'URGENT' AND {in_span}
                 ORDER BY m.seq DESC LIMIT 1)
             ELSE (SELECT m.id FROM message m WHERE {in_span} ORDER BY m.seq DESC LIMIT 1) END AS newest_id
             FROM bounded p),
         chosen AS MATERIALIZED (SELECT newest.* FROM newest JOIN message t ON t.id = newest.newest_id
             ORDER BY t.created_at DESC, t.conversation_id DESC, t.seq DESC LIMIT ?)
         SELECT m.id, m.conversation_id, m.seq, m.sender_id, m.created_at, {read_at} AS read_at
         FROM chosen p {join}
         ORDER BY m.created_at DESC, m.conversation_id DESC, m.seq DESC LIMIT ?",
        spans(backend, unread_only)
    );
    values.extend([limit.into(), limit.into(), limit.into(), limit.into()]);
    let rows: Vec<PlainRow> = db::fetch_all(db, &text, values).await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| row.listed(viewer.user)).collect())
}
