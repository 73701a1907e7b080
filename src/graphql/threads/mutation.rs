//! The thread mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::threads,
    graphql::{
        context::{app, viewer},
        errors::{Result, nullable},
        threads::types::{
            FollowThreadInput, FollowThreadPayload, Thread, UnfollowThreadInput,
            UnfollowThreadPayload,
        },
    },
};

/// The thread mutations.
#[derive(Default, Debug)]
pub struct ThreadMutation;

#[Object]
impl ThreadMutation {
    /// Follow a thread. New replies then notify the viewer.
    async fn follow_thread(
        &self,
        ctx: &Context<'_>,
        input: FollowThreadInput,
    ) -> Option<Result<FollowThreadPayload>> {
        nullable(async {
            let thread = threads::follow(app(ctx), viewer(ctx)?, input.thread_id, true).await?;
            Ok(Some(FollowThreadPayload {
                thread: Some(Thread(thread)),
            }))
        })
        .await
    }

    /// Stop following a thread.
    async fn unfollow_thread(
        &self,
        ctx: &Context<'_>,
        input: UnfollowThreadInput,
    ) -> Option<Result<UnfollowThreadPayload>> {
        nullable(async {
            let thread = threads::follow(app(ctx), viewer(ctx)?, input.thread_id, false).await?;
            Ok(Some(UnfollowThreadPayload {
                thread: Some(Thread(thread)),
            }))
        })
        .await
    }
}
