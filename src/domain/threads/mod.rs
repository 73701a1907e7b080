//! Threads: a root message and everything below it, and who follows it.

pub mod followers;
pub mod lists;
pub mod replies;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select, Value,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    core::Core,
    db,
    domain::{access, predicates, sessions::Viewer},
    entity::{message, thread},
    error::Error,
    id::ThreadId,
    live::log::{self, Change, Stream},
};

/// The threads this viewer may see: those whose root they may see.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<thread::Entity> {
    let roots = Query::select()
        .column((message::Entity, message::Column::Id))
        .from(message::Entity)
        .and_where(
            Expr::col((message::Entity, message::Column::Id))
                .equals((thread::Entity, thread::Column::Id)),
        )
        .and_where(predicates::is_visible(viewer.user))
        .and_where(predicates::is_shown())
        .to_owned();
    thread::Entity::find().filter(Expr::exists(roots))
}

/// One thread that the viewer may see.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: ThreadId,
) -> Result<thread::Model, Error> {
    let found = visible(viewer)
        .filter(thread::Column::Id.eq(id))
        .one(db)
        .await?;
    found.ok_or_else(|| Error::not_found("thread"))
}

/// Follows a thread, or stops following it. Repeating it changes nothing.
pub async fn follow(
    core: &Core,
    viewer: &Viewer,
    id: ThreadId,
    is_following: bool,
) -> Result<thread::Model, Error> {
    core.db
        .write(|tx| async move {
            let thread = find(&*tx, viewer, id).await?;
            // Locked, so that nobody follows what they are leaving.
            access::conversation(&tx, viewer, thread.conversation_id).await?;
            // In one statement: a reply may make them follow at the same moment.
            let text = "INSERT INTO thread_follow
                    (user_id, thread_id, conversation_id, is_following) VALUES (?, ?, ?, ?)
                ON CONFLICT (user_id, thread_id)
                DO UPDATE SET is_following = excluded.is_following
                WHERE thread_follow.is_following <> excluded.is_following";
            let values: [Value; 4] = [
                viewer.user.into(),
                id.into(),
                thread.conversation_id.into(),
                is_following.into(),
            ];
            if db::execute(&*tx, text, values).await? == 0 {
                return Ok(thread);
            }
            let change = Change::ThreadChanged { thread: id };
            log::append(&tx, Stream::User(viewer.user), core.clock.now(), &[change]).await?;
            Ok(thread)
        })
        .await
}
