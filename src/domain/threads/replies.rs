//! The replies of threads, as a flat list or as the direct replies of several messages. All of it is SQL, because a
//! page has its own order and limit within a union of lists.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, Value};

use crate::{
    db::{PageSource, RowRef},
    domain::{
        messages::{
            self, path,
            projection::{MessageColumns, MessageRow},
        },
        pagination::{PageRequest, Slice, fetch_with_parent, union_all, union_all_with},
        predicates::{shown, visible, visible_from},
        sessions::Viewer,
        threads,
    },
    entity::{
        message,
        partial::{self, Partial},
        thread,
    },
    error::Error,
    id::{MessageId, ThreadId},
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
    /// The columns that every such list needs.
    fn columns(&self) -> &'static [message::Column] {
        use message::Column;
        match self {
            Self::Tree(_) => &[
                Column::Depth,
                Column::DescendantCount,
                Column::Id,
                Column::Path,
                Column::RootId,
            ],
            Self::OldestFirst(_) | Self::NewestFirst(_) => &[
                Column::Depth,
                Column::DescendantCount,
                Column::Id,
                Column::RootId,
                Column::Seq,
            ],
        }
    }

    fn part(&self, rows: Vec<MessageRow>) -> Slice<MessageRow> {
        match self {
            Self::Tree(span) => span.part(rows),
            Self::OldestFirst(span) | Self::NewestFirst(span) => span.part(rows),
        }
    }
}

/// The part of a thread to list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyScope {
    /// The path of the message whose descendants are listed; the root's when absent.
    pub under: Option<Vec<u8>>,
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
    Ok(ReplyScope {
        under: Some(message.path),
        level: message.depth,
        max_depth,
    })
}

/// One page of the replies of each thread.
pub async fn pages<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
    scope: &ReplyScope,
    listing: &ReplyOrder,
    columns: &MessageColumns,
) -> Result<HashMap<ThreadId, Slice<MessageRow>>, Error> {
    let columns = columns.with(listing.columns());
    let backend = db.get_database_backend();
    let selects = threads
        .iter()
        .map(|&thread| select(backend, viewer, thread, (scope, listing), &columns))
        .collect();
    let mut lists: HashMap<ThreadId, Vec<MessageRow>> = HashMap::new();
    for row in union_all_with(db, selects, |row: &RowRef<'_>| columns.read(row, 0)).await? {
        let list = lists.entry(ThreadId::from(row.message.loaded().thread_root()));
        list.or_default().push(row);
    }
    Ok(lists
        .into_iter()
        .map(|(thread, rows)| (thread, listing.part(rows)))
        .collect())
}

/// Reads some columns of a thread, `id` first, and a page of its replies with one statement.
pub async fn with_thread<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    (id, of_thread): (ThreadId, &partial::Columns<thread::Column>),
    (scope, listing): (&ReplyScope, &ReplyOrder),
    columns: &MessageColumns,
) -> Result<Option<(Partial<thread::Model>, Slice<MessageRow>)>, Error> {
    let columns = columns.with(listing.columns());
    let found = threads::visible(viewer).filter(thread::Column::Id.eq(id));
    let list = select(
        db.get_database_backend(),
        viewer,
        id,
        (scope, listing),
        &columns,
    );
    let read = (
        |row: &RowRef<'_>| Partial::read(row, of_thread, 0),
        |row: &RowRef<'_>| columns.read(row, of_thread.len()),
    );
    let found = fetch_with_parent(
        db,
        (found, of_thread.names().as_slice()),
        list,
        columns.width(),
        read,
    )
    .await?;
    Ok(found.map(|(thread, rows)| (thread, listing.part(rows))))
}

fn select(
    backend: DbBackend,
    viewer: &Viewer,
    thread: ThreadId,
    (scope, listing): (&ReplyScope, &ReplyOrder),
    columns: &MessageColumns,
) -> (String, Vec<Value>) {
    // The subquery is evaluated once: the whole thread is in one conversation.
    let mut text = format!(
        "{} WHERE m.seq + 0 >= (SELECT {} FROM message r WHERE r.id = ?)
             AND m.root_id IS NOT NULL AND {}",
        columns.select(backend),
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
        (Some(under), ReplyOrder::Tree(span)) => below(under, span).sql(list, "m.path", false),
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
    under: &[u8],
    span: &PageRequest<i32>,
    descending: bool,
) -> (String, Vec<Value>) {
    let (rest, more) = span.sorted("m.seq", descending);
    let text = format!(" AND m.root_id = ? AND m.path > ? AND m.path < ?{rest}");
    let mut values: Vec<Value> = vec![
        thread.into(),
        under.to_vec().into(),
        path::end(under).into(),
    ];
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
