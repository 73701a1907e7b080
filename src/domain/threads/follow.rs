//! Following threads.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};

use crate::{
    core::Core,
    db::Tx,
    domain::{access, sessions::Viewer, threads},
    entity::{participant, thread, thread_follow, thread_follow_span},
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
            // Locked, so that a user cannot follow a thread of a conversation that they are leaving, and no reply can make
            // them follow it concurrently.
            let place = access::conversation(&tx, viewer, thread.conversation_id).await?;
            let last_seq = place.conversation().last_seq;
            let earlier = thread_follow::Entity::find_by_id((viewer.user, id))
                .one(&*tx)
                .await?;
            if earlier
                .as_ref()
                .is_some_and(|row| row.is_following == is_following)
            {
                return Ok(thread);
            }
            let from_seq = last_seq + 1;
            if let Some(earlier) = earlier {
                if earlier.is_following {
                    close_span_in(&tx, place.participant(), &earlier, last_seq).await?;
                }
                let mut row = earlier.into_active_model();
                row.is_following = Set(is_following);
                row.from_seq = Set(from_seq);
                row.update(&*tx).await?;
            } else {
                let row = thread_follow::ActiveModel {
                    user_id: Set(viewer.user),
                    thread_id: Set(id),
                    conversation_id: Set(thread.conversation_id),
                    is_following: Set(is_following),
                    from_seq: Set(from_seq),
                };
                row.insert(&*tx).await?;
            }
            let change = Change::ThreadChanged { thread: id };
            log::append(&tx, Stream::User(viewer.user), core.clock.now(), &[change]).await?;
            Ok(thread)
        })
        .await
}

/// Stores the span of replies up to `last_seq` that notified a follower, before they stop following the thread.
async fn close_span_in(
    tx: &Tx,
    participant: &participant::Model,
    follow: &thread_follow::Model,
    last_seq: i32,
) -> Result<(), Error> {
    if follow.from_seq <= last_seq {
        let span = thread_follow_span::Model {
            participant_id: participant.id,
            thread_id: follow.thread_id,
            from_seq: follow.from_seq,
            to_seq: last_seq,
        };
        span.into_active_model().insert(tx).await?;
    }
    Ok(())
}
