//! Following threads.

use sea_orm::{
    EntityTrait, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use crate::{
    core::Core,
    domain::{access, sessions::Viewer, threads},
    entity::{thread, thread_follow},
    error::Error,
    id::ThreadId,
    live::log::{self, Change, Stream},
};

/// Follows a thread, or stops following it. Repeating it changes nothing.
pub async fn follow(
    core: &Core,
    viewer: &Viewer,
    id: ThreadId,
    is_following: bool,
) -> Result<thread::Model, Error> {
    core.db
        .write(|tx| async move {
            let thread = threads::find(&*tx, viewer, id).await?;
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
