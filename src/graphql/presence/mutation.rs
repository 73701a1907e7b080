//! Saying that one is around, or types.

use async_graphql::{Context, Object};

use crate::{
    domain::presence::{self, typing},
    graphql::{
        context::{app, loaders, viewer},
        errors::{Result, nullable},
        presence::types::{SetPresenceInput, SetPresencePayload, SetTypingInput, SetTypingPayload},
        users::loader::UserKey,
    },
};

/// Changes of presence and typing.
#[derive(Default, Debug)]
pub struct PresenceMutation;

#[Object]
impl PresenceMutation {
    /// Say whether the viewer is around. Kept until it lapses or changes.
    async fn set_presence(
        &self,
        ctx: &Context<'_>,
        input: SetPresenceInput,
    ) -> Option<Result<SetPresencePayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            presence::set(app(ctx), viewer, input.into()).await?;
            let user = loaders(ctx).load_one(UserKey(viewer.user)).await?;
            Ok(Some(SetPresencePayload { user }))
        })
        .await
    }

    /// Tell others that the viewer is, or has stopped, typing.
    async fn set_typing(
        &self,
        ctx: &Context<'_>,
        input: SetTypingInput,
    ) -> Option<Result<SetTypingPayload>> {
        nullable(async {
            let (place, thread) = (input.conversation_id, input.thread_id);
            let viewer = viewer(ctx)?;
            let until = typing::set(app(ctx), viewer, place, thread, input.is_typing).await?;
            let expires_at = until.map(Into::into);
            Ok(Some(SetTypingPayload { expires_at }))
        })
        .await
    }
}
