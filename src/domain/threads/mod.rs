//! Threads: a root message with its replies, and its followers.

pub mod followers;
pub mod lists;
pub mod replies;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select, Set,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

use crate::{
    core::Core,
    domain::{access, predicates, sessions::Viewer},
    entity::{message, thread, thread_follow},
    error::Error,
    id::ThreadId,
    live::log::{self, Change, Stream},
};

/// The threads that are visible to this viewer: those whose root message is visible and shown.
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

/// Finds one thread that is visible to the viewer.
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
            // Locked, so that a user cannot follow a thread of a conversation that they are leaving.
            access::conversation(&tx, viewer, thread.conversation_id).await?;
            // One upsert, because a reply may make the viewer follow concurrently.
            let follow = thread_follow::ActiveModel {
                user_id: Set(viewer.user),
                thread_id: Set(id),
                conversation_id: Set(thread.conversation_id),
                is_following: Set(is_following),
            };
            let is_following = thread_follow::Column::IsFollowing;
            let differs = Expr::col((thread_follow::Entity, is_following))
                .ne(Expr::col(("excluded", is_following)));
            let keys = [
                thread_follow::Column::UserId,
                thread_follow::Column::ThreadId,
            ];
            let mut update = OnConflict::columns(keys);
            update.update_column(is_following).action_and_where(differs);
            let changed = thread_follow::Entity::insert(follow)
                .on_conflict(update)
                .exec_without_returning(&*tx)
                .await?;
            if changed == 0 {
                return Ok(thread);
            }
            let change = Change::ThreadChanged { thread: id };
            log::append(&tx, Stream::User(viewer.user), core.clock.now(), &[change]).await?;
            Ok(thread)
        })
        .await
}
