//! The messages of all conversations of a viewer, by time. All of it is SQL, because a page is merged from one list for
//! each conversation, and each of them has its own order and limit.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Value};

use crate::{
    db::{self, PageSource, ValuesCte},
    domain::{
        messages::projection::{MessageProjection, MessageReader},
        pagination::{Direction, PageRequest, Slice},
        predicates::{last_hidden, not_muted, unread as is_unread},
        sessions::Viewer,
    },
    entity::{message, partial},
    error::Error,
    id::{ConversationId, UserId},
};

/// The filter of the list. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only in these conversations.
    pub conversations: Option<Vec<ConversationId>>,
    /// Only from these users.
    pub senders: Option<Vec<UserId>>,
    /// Sent at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Sent before this time.
    pub until: Option<DateTime<Utc>>,
}

/// The position of a message in a list of several conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimePosition(pub DateTime<Utc>, pub ConversationId, pub i32);

impl From<&message::Model> for TimePosition {
    fn from(message: &message::Model) -> Self {
        Self(message.created_at, message.conversation_id, message.seq)
    }
}

partial::row_key!(
    /// The columns of a [`TimePosition`].
    MessageTimeKey of message {
        /// When it was sent.
        created_at: DateTime<Utc>,
        /// Where it was sent.
        conversation_id: ConversationId,
        /// Its sequence number there.
        seq: i32,
    }
);

/// SQL and the values that it binds, in the same order.
type Sql = (String, Vec<Value>);

/// A page of the messages that the viewer sees, without deleted ones.
///
/// Each conversation, or each sender in each conversation, is a list in the order of an index. The lists are merged: the
/// newest message of each is read, and then one for each message of the page. So the work grows with the number of
/// conversations and with the page, but not with the number of messages.
pub async fn page<C: PageSource, P: MessageProjection>(
    db: &C,
    viewer: &Viewer,
    narrowing: &MessageFilter,
    span: &PageRequest<TimePosition>,
    newest_first: bool,
    projection: &P,
) -> Result<Slice<(MessageTimeKey, P::Row)>, Error> {
    if narrowing.matches_nothing() {
        return Ok(Slice::default());
    }
    let backend = db.get_database_backend();
    let reader = MessageReader::<P, MessageTimeKey>::new(projection);
    let merge = Merge::new(viewer, narrowing, span, newest_first);
    let (text, values) = match backend {
        DbBackend::Postgres => merge.on_postgres(&reader.select_from(backend, POSTGRES_PAGE)),
        _ => merge.on_sqlite(&reader.select_from(backend, SQLITE_PAGE)),
    };
    let statement = db::sql(backend, &text, values);
    let rows = db::fetch_page(db, statement, |row| reader.read(row, 0)).await?;
    Ok(span.part(rows))
}

/// The messages `m` of a page on SQLite.
const SQLITE_PAGE: &str = "merged CROSS JOIN message m ON m.rowid = merged.row";
/// The same on PostgreSQL, which otherwise might read all messages, because it plans without the limits.
const POSTGRES_PAGE: &str =
    "page CROSS JOIN LATERAL (SELECT * FROM message m WHERE m.id = page.id LIMIT 1) m";

/// A merge of the lists of several conversations.
struct Merge<'a> {
    senders: Option<ValuesCte>,
    /// The lists.
    lists: Sql,
    /// Which messages `n` of the list `p` are in the page or after it.
    range: ListRange,
    /// The columns that identify a list.
    of_list: &'static [&'static str],
    direction: &'static str,
    span: &'a PageRequest<TimePosition>,
}

impl<'a> Merge<'a> {
    fn new(
        viewer: &Viewer,
        narrowing: &MessageFilter,
        span: &'a PageRequest<TimePosition>,
        newest_first: bool,
    ) -> Self {
        let senders = narrowing.senders.as_ref();
        let senders = senders
            .map(|ids| ValuesCte::new("v (sender_id)", ids.iter().map(|&id| [Value::from(id)])));
        let (of_list, sender, join): (&[&str], _, _) = match &senders {
            Some(_) => (
                &["conversation_id", "sender_id"],
                ", v.sender_id",
                " CROSS JOIN v",
            ),
            None => (&["conversation_id"], "", ""),
        };
        let (only, more) = narrowing.conversations_sql();
        let mut values = vec![viewer.user.into()];
        values.extend(more);
        let lists = format!(
            "list AS (SELECT p.conversation_id, {} AS last_hidden{sender}
             FROM participant p{join} WHERE p.user_id = ?{only})",
            last_hidden("p")
        );
        Self {
            senders,
            lists: (lists, values),
            range: ListRange::new(narrowing, span, newest_first, of_list),
            of_list,
            direction: direction(span, newest_first),
            span,
        }
    }

    /// `ORDER BY` the columns of the index.
    fn order(&self) -> String {
        let columns = self.of_list.iter().chain(&["created_at", "seq"]);
        let columns = columns.map(|column| format!("n.{column} {}", self.direction));
        format!("ORDER BY {}", columns.collect::<Vec<_>>().join(", "))
    }

    fn columns_of_list(&self, alias: &str) -> String {
        let columns = self.of_list.iter();
        let columns = columns.map(|column| format!("{alias}.{column}"));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The text before the lists, and the first values.
    fn start(&self) -> Sql {
        match self.senders.clone() {
            Some(senders) => (format!("{}, ", senders.text), senders.values),
            None => (String::new(), vec![]),
        }
    }

    /// SQLite takes the rows of a recursive statement in its order, so each message brings the next one of its list.
    /// Sums and joined texts have no affinity: compared with columns of another table, SQLite would use only the first
    /// column of the index.
    fn on_sqlite(&self, select: &str) -> Sql {
        let (start, mut values) = self.start();
        let (lists, more) = &self.lists;
        let (order, direction) = (self.order(), self.direction);
        let (conditions, bound) = self.range.whole();
        let (conditions_of_next, bound_of_next) = self.range.beyond(direction);
        let next = if direction == "DESC" { "<" } else { ">" };
        let (own, of_n) = (self.columns_of_list("p"), self.columns_of_list("n"));
        let names = self.of_list.join(", ");
        // The position of the column `created_at`.
        let at = self.of_list.len() + 2;
        let text = format!(
            "WITH RECURSIVE {start}{lists},
             merged ({names}, last_hidden, created_at, seq, row) AS (
                 SELECT {own}, p.last_hidden, m.created_at, m.seq, m.rowid
                 FROM list p CROSS JOIN message m
                 WHERE m.rowid = (SELECT n.rowid FROM message n WHERE {conditions} {order} LIMIT 1)
                 UNION ALL
                 SELECT {own}, p.last_hidden, m.created_at, m.seq, m.rowid
                 FROM merged p CROSS JOIN message m
                 WHERE m.rowid = (SELECT n.rowid FROM message n WHERE {conditions_of_next}
                     AND ({of_n}, n.created_at, n.seq) {next} ({own}, p.created_at || '', p.seq + 0)
                     {order} LIMIT 1)
                 ORDER BY {at} {direction}, 1 {direction}, {} {direction} LIMIT ?)
             {select} {}",
            at + 1,
            order_by("m", direction)
        );
        values.extend(more.iter().cloned());
        values.extend(bound.into_iter().chain(bound_of_next));
        values.push(self.span.limit().into());
        (text, values)
    }

    /// PostgreSQL has no such order: it reads a page of each of the lists that have the newest messages.
    fn on_postgres(&self, select: &str) -> Sql {
        let (start, mut values) = self.start();
        let (lists, more) = &self.lists;
        let (conditions, bound) = self.range.whole();
        let (order, direction) = (self.order(), self.direction);
        let own = self.columns_of_list("p");
        let text = format!(
            "WITH {start}{lists},
             head AS (SELECT {own}, p.last_hidden FROM list p
                 CROSS JOIN LATERAL (SELECT n.created_at, n.conversation_id, n.seq FROM message n
                     WHERE {conditions} {order} LIMIT 1) h
                 {} LIMIT ?),
             page AS (SELECT h.* FROM head p
                 CROSS JOIN LATERAL (SELECT n.id, n.created_at, n.conversation_id, n.seq FROM message n
                     WHERE {conditions} {order} LIMIT ?) h
                 {} LIMIT ?)
             {select} {}",
            order_by("h", direction),
            order_by("h", direction),
            order_by("m", direction)
        );
        let limit = Value::from(self.span.limit());
        values.extend(more.iter().cloned());
        values.extend(bound.iter().cloned());
        values.push(limit.clone());
        values.extend(bound.iter().cloned());
        values.extend([limit.clone(), limit]);
        (text, values)
    }
}

/// Which messages `n` of the list `p` are in the page or after it.
///
/// The bounds of the index are ranges; [`PageRequest::sql`] gives the reason. They include the times at their ends, which
/// the other conditions narrow down. The sum prevents an index search for the number.
struct ListRange {
    earliest: Sql,
    latest: Sql,
    rest: Sql,
}

impl ListRange {
    fn new(
        narrowing: &MessageFilter,
        span: &PageRequest<TimePosition>,
        newest_first: bool,
        of_list: &[&str],
    ) -> Self {
        let (earlier, later) = ends(span, newest_first);
        let time = |position: Option<&TimePosition>| position.map(|TimePosition(at, ..)| *at);
        let lowest = time(earlier).max(narrowing.since);
        let highest = time(later).into_iter().chain(narrowing.until).min();
        let prefix = |alias: &str| {
            let columns = of_list.iter().map(|column| format!("{alias}.{column}"));
            columns.collect::<Vec<_>>().join(", ")
        };
        let (own, of_n) = (prefix("p"), prefix("n"));
        let bound = |at: Option<DateTime<Utc>>, sign| match at {
            Some(at) => (
                format!("({of_n}, n.created_at) {sign} ({own}, ?)"),
                vec![at.into()],
            ),
            None => (format!("({of_n}) {sign} ({own})"), vec![]),
        };
        let (exact, mut values) = narrowing.times_sql("n");
        let (between, ends) = between("n", span, newest_first);
        values.extend(ends);
        let rest = format!("n.deleted_at IS NULL AND n.seq + 0 > p.last_hidden{exact}{between}");
        Self {
            earliest: bound(lowest, ">="),
            latest: bound(highest, "<="),
            rest: (rest, values),
        }
    }

    /// All conditions.
    fn whole(&self) -> Sql {
        all([&self.earliest, &self.latest, &self.rest])
    }

    /// The conditions without the bound that a message of the page replaces. With both, SQLite might choose this one and
    /// read the list from its start for each message.
    fn beyond(&self, direction: &str) -> Sql {
        let end = match direction {
            "DESC" => &self.earliest,
            _ => &self.latest,
        };
        all([end, &self.rest])
    }
}

fn all<'a>(conditions: impl IntoIterator<Item = &'a Sql>) -> Sql {
    let (texts, values): (Vec<_>, Vec<_>) = conditions.into_iter().cloned().unzip();
    (texts.join(" AND "), values.concat())
}

/// A page of the unread messages of all conversations, without those that are muted at this time, if one is given.
///
/// No index has this order. What is read is above the floors of the conversations, so all that is unread is sorted.
pub async fn unread<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    narrowing: &MessageFilter,
    audible_at: Option<DateTime<Utc>>,
    span: &PageRequest<TimePosition>,
    newest_first: bool,
) -> Result<Slice<message::Model>, Error> {
    if narrowing.matches_nothing() {
        return Ok(Slice::default());
    }
    // Without LATERAL, PostgreSQL may start from the messages of all conversations.
    let messages = match db.get_database_backend() {
        DbBackend::Postgres => {
            "CROSS JOIN LATERAL (SELECT u.* FROM message u WHERE u.conversation_id = p.conversation_id
                 AND u.seq > p.read_floor_seq OFFSET 0) AS m"
        }
        _ => "JOIN message m ON m.conversation_id = p.conversation_id",
    };
    let mut text = format!(
        "SELECT m.* FROM participant p {messages} WHERE p.user_id = ? AND {}",
        is_unread("m", "p")
    );
    let mut values: Vec<Value> = vec![viewer.user.into()];
    if let Some(now) = audible_at {
        let _ = write!(text, " AND {}", not_muted("p"));
        values.push(now.into());
    }
    if let Some(senders) = &narrowing.senders {
        let senders: Vec<Value> = senders.iter().map(|&id| id.into()).collect();
        let _ = write!(
            text,
            " AND m.sender_id IN ({})",
            db::placeholders(senders.len())
        );
        values.extend(senders);
    }
    for (more, bound) in [
        narrowing.conversations_sql(),
        narrowing.times_sql("m"),
        between("m", span, newest_first),
    ] {
        text.push_str(&more);
        values.extend(bound);
    }
    let direction = direction(span, newest_first);
    let _ = write!(text, " {} LIMIT ?", order_by("m", direction));
    values.push(span.limit().into());
    Ok(span.part(db::fetch_all(db, &text, values).await?))
}

impl MessageFilter {
    fn matches_nothing(&self) -> bool {
        let is_empty = |count: Option<usize>| count == Some(0);
        is_empty(self.conversations.as_ref().map(Vec::len))
            || is_empty(self.senders.as_ref().map(Vec::len))
    }

    /// Conditions for participant `p`.
    fn conversations_sql(&self) -> Sql {
        let Some(ids) = &self.conversations else {
            return (String::new(), vec![]);
        };
        let only = format!(
            " AND p.conversation_id IN ({})",
            db::placeholders(ids.len())
        );
        (only, ids.iter().map(|&id| id.into()).collect())
    }

    /// Conditions for a message.
    fn times_sql(&self, m: &str) -> Sql {
        let (mut text, mut values) = (String::new(), vec![]);
        for (bound, sign) in [(self.since, ">="), (self.until, "<")] {
            if let Some(at) = bound {
                let _ = write!(text, " AND {m}.created_at {sign} ?");
                values.push(at.into());
            }
        }
        (text, values)
    }
}

/// The earlier and the later end of a page.
fn ends(
    span: &PageRequest<TimePosition>,
    newest_first: bool,
) -> (Option<&TimePosition>, Option<&TimePosition>) {
    let (after, before) = (span.after.as_ref(), span.before.as_ref());
    if newest_first {
        (before, after)
    } else {
        (after, before)
    }
}

/// Conditions for the messages between the ends of a page.
fn between(m: &str, span: &PageRequest<TimePosition>, newest_first: bool) -> Sql {
    let (earlier, later) = ends(span, newest_first);
    let (mut text, mut values) = (String::new(), vec![]);
    for (end, sign) in [(earlier, ">"), (later, "<")] {
        if let Some(TimePosition(at, conversation, seq)) = end {
            let _ = write!(
                text,
                " AND ({m}.created_at, {m}.conversation_id, {m}.seq) {sign} (?, ?, ?)"
            );
            values.extend([(*at).into(), (*conversation).into(), (*seq).into()]);
        }
    }
    (text, values)
}

/// The order in which a page is read.
fn direction(span: &PageRequest<TimePosition>, newest_first: bool) -> &'static str {
    if newest_first == (span.end == Direction::First) {
        "DESC"
    } else {
        "ASC"
    }
}

fn order_by(m: &str, direction: &str) -> String {
    format!(
        "ORDER BY {m}.created_at {direction}, {m}.conversation_id {direction}, {m}.seq {direction}"
    )
}
