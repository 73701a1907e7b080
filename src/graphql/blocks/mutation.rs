//! The mutations of blocks.

use async_graphql::{Context, Object};

use crate::{
    domain::blocks,
    graphql::{
        blocks::types::{BlockUserInput, BlockUserPayload, UnblockUserInput, UnblockUserPayload},
        context::{app, loaders, viewer},
        errors::{Result, nullable},
        users::loader::UserKey,
    },
};

/// The mutations of blocks.
#[derive(Default, Debug)]
pub struct BlockMutation;

#[Object]
impl BlockMutation {
    /// Block a user. From then on, neither can open a direct conversation with the other or send in it, add the other to
    /// a group, mention or notify the other, or see the other's presence. The other person is not notified.
    async fn block_user(
        &self,
        ctx: &Context<'_>,
        input: BlockUserInput,
    ) -> Option<Result<BlockUserPayload>> {
        nullable(async {
            blocks::block(app(ctx), viewer(ctx)?, input.user_id).await?;
            let user = loaders(ctx).load_one(UserKey(input.user_id)).await?;
            Ok(Some(BlockUserPayload { user }))
        })
        .await
    }

    /// Remove a block, if there is one.
    async fn unblock_user(
        &self,
        ctx: &Context<'_>,
        input: UnblockUserInput,
    ) -> Option<Result<UnblockUserPayload>> {
        nullable(async {
            blocks::unblock(app(ctx), viewer(ctx)?, input.user_id).await?;
            let user = loaders(ctx).load_one(UserKey(input.user_id)).await?;
            Ok(Some(UnblockUserPayload { user }))
        })
        .await
    }
}
