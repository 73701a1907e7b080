//! The presence and typing mutations.

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

/// The presence and typing mutations.
#[derive(Default, Debug)]
pub struct PresenceMutation;

#[Object]
impl PresenceMutation {
    /// Set the viewer's presence. It is kept until it expires or changes.
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

    /// Announce that the viewer is typing or has stopped.
    async fn set_typing(
        &self,
        ctx: &Context<'_>,
        input: SetTypingInput,
    ) -> Option<Result<SetTypingPayload>> {
        nullable(async {
            let (conversation, thread) = (input.conversation_id, input.thread_id);
            let viewer = viewer(ctx)?;
            let until =
                typing::set(app(ctx), viewer, conversation, thread, input.is_typing).await?;
            let expires_at = until.map(Into::into);
            Ok(Some(SetTypingPayload { expires_at }))
        })
        .await
    }
}
