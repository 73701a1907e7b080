//! Batched reads about threads: their authors, whether the viewer follows them, and their newest replies.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Value};

use crate::{
    db,
    domain::{
        pagination::{Direction, PageRequest, Slice, union_all},
        predicates::visible,
        sessions::Viewer,
    },
    entity::{message, thread_follow},
    error::Error,
    id::{ThreadId, UserId},
};

/// An author in a thread.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Writer {
    /// The thread.
    pub thread_id: ThreadId,
    /// The author.
    pub user_id: UserId,
    /// The sequence number of their last message in it.
    pub last_seq: i32,
}

/// The authors in each of several threads, most recent first, keyed by the sequence number of their last message.
pub async fn writers<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
    span: &PageRequest<i32>,
) -> Result<HashMap<ThreadId, Slice<Writer>>, Error> {
    let marks = db::placeholders(threads.len());
    // SQL for its window function over grouped rows.
    let text = format!(
        "SELECT thread_id, user_id, last_seq FROM (
             SELECT w.*, ROW_NUMBER() OVER (PARTITION BY thread_id ORDER BY last_seq DESC) AS place
             FROM (
                 SELECT COALESCE(m.root_id, m.id) AS thread_id, m.sender_id AS user_id,
                        MAX(m.seq) AS last_seq
                 FROM message m WHERE {}
                 AND (m.root_id IN ({marks}) OR m.id IN ({marks}))
                     AND m.deleted_at IS NULL AND m.sender_id IS NOT NULL
                 GROUP BY 1, 2
             ) AS w WHERE last_seq < ?
         ) AS list WHERE place <= ? ORDER BY last_seq DESC",
        visible("m")
    );
    let mut values = db::bind(viewer.user, &[threads, threads].concat());
    values.extend([span.after.unwrap_or(i32::MAX).into(), span.limit().into()]);
    let rows = db::fetch_all(db, &text, values).await?;
    Ok(span.parts(rows, |row: &Writer| row.thread_id))
}

/// The threads among these that the viewer follows.
pub async fn followed<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
) -> Result<HashSet<ThreadId>, Error> {
    let rows = thread_follow::Entity::find()
        .filter(thread_follow::Column::UserId.eq(viewer.user))
        .filter(thread_follow::Column::ThreadId.is_in(threads.iter().copied()))
        .filter(thread_follow::Column::IsFollowing.eq(true))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.thread_id).collect())
}

/// The newest reply of each thread that is not deleted.
pub async fn last_replies<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    threads: &[ThreadId],
) -> Result<HashMap<ThreadId, message::Model>, Error> {
    let select = |&thread: &ThreadId| {
        // Size 0 selects one row: a page request selects one more row than its size.
        let (rest, more) = PageRequest::<i32>::end(Direction::Last, 0).sql(
            ("m.root_id", thread.into()),
            "m.seq",
            false,
        );
        let text = format!(
            "SELECT m.* FROM message m WHERE {} AND m.root_id IS NOT NULL AND m.deleted_at IS NULL {rest}",
            visible("m")
        );
        let mut values: Vec<Value> = vec![viewer.user.into()];
        values.extend(more);
        (text, values)
    };
    let rows: Vec<message::Model> = union_all(db, threads.iter().map(select).collect()).await?;
    Ok(rows
        .into_iter()
        .map(|row| (ThreadId::from(row.thread_root()), row))
        .collect())
}
