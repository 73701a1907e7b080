//! The replies of threads, as a flat list or as the direct replies of several messages. All of it is SQL, because a
//! page has its own order and limit within a union of lists.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, Value};

use crate::{
    db::{PageSource, RowRef},
    domain::{
        messages::{
            self, deep_replies, path,
            projection::{MessageProjection, MessageReader},
        },
        pagination::{PageRequest, Slice, fetch_with_parent, union_all, union_all_with},
        predicates::{shown, visible, visible_from},
        sessions::Viewer,
        threads,
    },
    entity::{message, partial, thread},
    error::Error,
    id::{ConversationId, MessageId, ThreadId},
};

/// The order of the replies of a thread, with the page that is requested.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReplyOrder {
    /// Each reply directly after its parent, siblings oldest first; keyed by path.
    Tree(PageRequest<Vec<u8>>),
    /// By time, oldest first; keyed by sequence number.
    OldestFirst(PageRequest<i32>),
    /// By time, newest first; keyed by sequence number.
    NewestFirst(PageRequest<i32>),
}

impl ReplyOrder {
    fn part<T>(&self, rows: Vec<T>) -> Slice<T> {
        match self {
            Self::Tree(span) => span.part(rows),
            Self::OldestFirst(span) | Self::NewestFirst(span) => span.part(rows),
        }
    }
}

partial::row_key!(
    /// The place of a reply in its thread.
    ReplyKey of message {
        /// The reply.
        id: MessageId,
        /// Its conversation.
        conversation_id: ConversationId,
        /// The root of the thread; every reply has one.
        root_id: Option<MessageId>,
        /// The position in tree order.
        path: Vec<u8>,
        /// The position by time.
        seq: i32,
        /// Levels below the root.
        depth: i32,
        /// Replies below it, if it is not a deep reply.
        descendant_count: i32,
        /// Its branch, if it is one.
        branch_seq: Option<i32>,
    }
);

/// A slice of the replies of a thread, each with its place.
pub type ReplySlice<P> = Slice<(ReplyKey, <P as MessageProjection>::Row)>;

/// A message whose descendants are listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subtree {
    id: MessageId,
    path: Vec<u8>,
    /// Whether some of the descendants are deep replies that follow the message instead of being below it in tree order.
    has_deep_replies: bool,
}

/// The part of a thread to list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyScope {
    /// The descendants of this message; the whole thread when absent.
    pub under: Option<Subtree>,
    /// The depth of that message; 0 for the root.
    pub level: i32,
    /// The maximum number of levels below that message.
    pub max_depth: Option<i32>,
}

/// The scope below a message of this thread.
pub async fn scope<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    thread: ThreadId,
    under: Option<MessageId>,
    max_depth: Option<i32>,
) -> Result<ReplyScope, Error> {
    let Some(under) = under else {
        return Ok(ReplyScope {
            under: None,
            level: 0,
            max_depth,
        });
    };
    let message = messages::find(db, viewer, under).await?;
    if ThreadId::from(message.thread_root()) != thread {
        return Err(Error::not_found("message"));
    }
    let has_deep_replies =
        message.branch_seq.is_some() || deep_replies::has_any(db, &message).await?;
    Ok(ReplyScope {
        level: message.depth,
        under: Some(Subtree {
            id: message.id,
            path: message.path,
            has_deep_replies,
        }),
        max_depth,
    })
}

/// One page of the replies of each thread.
pub async fn pages<C: PageSource, P: MessageProjection>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
    page: (&ReplyScope, &ReplyOrder),
    projection: &P,
) -> Result<HashMap<ThreadId, ReplySlice<P>>, Error> {
    let reader = MessageReader::<P, ReplyKey>::new(projection);
    let text = reader.select(db.get_database_backend());
    let select = |&thread: &ThreadId| select(&text, viewer, thread, page);
    let read = |row: &RowRef<'_>| reader.read(row, 0);
    let mut lists: HashMap<ThreadId, Vec<_>> = HashMap::new();
    for (key, row) in union_all_with(db, threads.iter().map(select).collect(), read).await? {
        if let Some(root) = key.root_id {
            lists.entry(root.into()).or_default().push((key, row));
        }
    }
    let part = |(thread, rows)| (thread, page.1.part(rows));
    Ok(lists.into_iter().map(part).collect())
}

/// Reads a thread and a page of its replies with one statement.
pub async fn with_thread<C: PageSource, P: MessageProjection>(
    db: &C,
    viewer: &Viewer,
    id: ThreadId,
    page: (&ReplyScope, &ReplyOrder),
    projection: &P,
) -> Result<Option<(thread::Model, ReplySlice<P>)>, Error> {
    let reader = MessageReader::<P, ReplyKey>::new(projection);
    let found = threads::visible(viewer).filter(thread::Column::Id.eq(id));
    let list = select(&reader.select(db.get_database_backend()), viewer, id, page);
    let read = |row: &RowRef<'_>, from| reader.read(row, from);
    let found = fetch_with_parent(db, found, list, reader.width(), read).await?;
    Ok(found.map(|(thread, rows)| (thread, page.1.part(rows))))
}

fn select(
    columns: &str,
    viewer: &Viewer,
    thread: ThreadId,
    (scope, listing): (&ReplyScope, &ReplyOrder),
) -> (String, Vec<Value>) {
    // The subquery is evaluated once: the whole thread is in one conversation.
    let mut text = format!(
        "{columns} WHERE m.seq + 0 >= (SELECT {} FROM message r WHERE r.id = ?)
             AND m.root_id IS NOT NULL AND {}",
        visible_from("r.conversation_id"),
        shown("m")
    );
    let mut values: Vec<Value> = vec![viewer.user.into(), thread.into()];
    if let Some(levels) = scope.max_depth {
        text.push_str(" AND m.depth <= ?");
        values.push(scope.level.saturating_add(levels).into());
    }
    let list = ("m.root_id", thread.into());
    let (rest, more) = match (&scope.under, listing) {
        (None, ReplyOrder::Tree(span)) => span.sql(list, "m.path", false),
        (Some(under), ReplyOrder::Tree(span)) if under.has_deep_replies => {
            collected(thread, under, span.sorted("m.path", false))
        }
        (Some(under), ReplyOrder::Tree(span)) => {
            below(&under.path, span).sql(list, "m.path", false)
        }
        (None, ReplyOrder::OldestFirst(span)) => span.sql(list, "m.seq", false),
        (None, ReplyOrder::NewestFirst(span)) => span.sql(list, "m.seq", true),
        (Some(under), ReplyOrder::OldestFirst(span)) => sorted(thread, under, span, false),
        (Some(under), ReplyOrder::NewestFirst(span)) => sorted(thread, under, span, true),
    };
    text.push_str(&rest);
    values.extend(more);
    (text, values)
}

/// Limits a page request to a subtree, which is a range of paths.
fn below(under: &[u8], span: &PageRequest<Vec<u8>>) -> PageRequest<Vec<u8>> {
    let (start, end) = (under.to_vec(), path::end(under));
    let after = span.after.clone().unwrap_or_default();
    let before = span.before.clone().unwrap_or_else(|| end.clone());
    PageRequest {
        after: Some(start.max(after)),
        before: Some(end.min(before)),
        ..span.clone()
    }
}

/// A page of a subtree by time. No index has this order, so the subtree is read and sorted.
fn sorted(
    thread: ThreadId,
    under: &Subtree,
    span: &PageRequest<i32>,
    descending: bool,
) -> (String, Vec<Value>) {
    let (rest, more) = span.sorted("m.seq", descending);
    if under.has_deep_replies {
        return collected(thread, under, (rest, more));
    }
    let text = format!(" AND m.root_id = ? AND m.path > ? AND m.path < ?{rest}");
    let (start, end) = (under.path.clone(), path::end(&under.path));
    let mut values: Vec<Value> = vec![thread.into(), start.into(), end.into()];
    values.extend(more);
    (text, values)
}

/// A page of a subtree that is no range of paths. It is collected from parent to child, and sorted.
fn collected(
    thread: ThreadId,
    under: &Subtree,
    (rest, more): (String, Vec<Value>),
) -> (String, Vec<Value>) {
    let text = format!(
        " AND m.root_id = ? AND m.id IN (
             WITH RECURSIVE below (id) AS (
                 SELECT id FROM message WHERE parent_id = ?
                 UNION ALL
                 SELECT r.id FROM below JOIN message r ON r.parent_id = below.id
             ) SELECT id FROM below){rest}"
    );
    let mut values: Vec<Value> = vec![thread.into(), under.id.into()];
    values.extend(more);
    (text, values)
}

/// One page of the direct replies of each message, oldest first.
pub async fn direct<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    parents: &[MessageId],
    span: &PageRequest<i32>,
) -> Result<HashMap<MessageId, Slice<message::Model>>, Error> {
    let select = |&parent: &MessageId| {
        let (rest, more) = span.sql(("m.parent_id", parent.into()), "m.seq", false);
        let text = format!(
            "SELECT m.* FROM message m WHERE {} AND m.parent_id IS NOT NULL AND {}{rest}",
            visible("m"),
            shown("m")
        );
        let mut values: Vec<Value> = vec![viewer.user.into()];
        values.extend(more);
        (text, values)
    };
    let rows: Vec<message::Model> = union_all(db, parents.iter().map(select).collect()).await?;
    let mut lists: HashMap<MessageId, Vec<message::Model>> = HashMap::new();
    for row in rows {
        if let Some(parent) = row.parent_id {
            lists.entry(parent).or_default().push(row);
        }
    }
    Ok(lists
        .into_iter()
        .map(|(parent, rows)| (parent, span.part(rows)))
        .collect())
}
