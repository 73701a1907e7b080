//! The conversation mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::conversations::{self, Edits, NewGroup, Settings},
    graphql::{
        context::{app, viewer},
        conversations::{
            inputs::{
                CreateConversationInput, CreateConversationPayload, DeleteConversationInput,
                DeleteConversationPayload, OpenDirectConversationInput,
                OpenDirectConversationPayload, UpdateConversationInput, UpdateConversationPayload,
                UpdateConversationSettingsInput, UpdateConversationSettingsPayload,
            },
            types::Conversation,
        },
        errors::{Result, nullable},
    },
};

/// The conversation mutations.
#[derive(Default, Debug)]
pub struct ConversationMutation;

#[Object]
impl ConversationMutation {
    /// Find or create the direct conversation between the viewer and these people.
    async fn open_direct_conversation(
        &self,
        ctx: &Context<'_>,
        input: OpenDirectConversationInput,
    ) -> Option<Result<OpenDirectConversationPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let opened = conversations::open_direct(app(ctx), viewer, &input.user_ids).await?;
            Ok(Some(OpenDirectConversationPayload {
                conversation: Some(Conversation(opened.conversation)),
                was_created: opened.was_created,
            }))
        })
        .await
    }

    /// Create a group conversation; the viewer becomes its owner.
    async fn create_conversation(
        &self,
        ctx: &Context<'_>,
        input: CreateConversationInput,
    ) -> Option<Result<CreateConversationPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let new = NewGroup {
                title: input.title,
                topic: input.topic,
                history_visibility: input.history_visibility.into(),
                participants: input.participant_ids,
            };
            let created = Conversation(conversations::create(app(ctx), viewer, &new).await?);
            Ok(Some(CreateConversationPayload {
                conversation: Some(created.clone()),
                conversation_edge: Some(created.into()),
            }))
        })
        .await
    }

    /// Change a group's title, topic or history for people who join later. Omitted fields keep
    /// their values; null clears.
    async fn update_conversation(
        &self,
        ctx: &Context<'_>,
        input: UpdateConversationInput,
    ) -> Option<Result<UpdateConversationPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let edits = Edits {
                title: input.title.into(),
                topic: input.topic.into(),
                history_visibility: input.history_visibility.map(Into::into),
            };
            let updated =
                conversations::update(app(ctx), viewer, input.conversation_id, edits).await?;
            Ok(Some(UpdateConversationPayload {
                conversation: Some(Conversation(updated)),
            }))
        })
        .await
    }

    /// Delete a group with all its messages, for everyone. Only owners may do this.
    async fn delete_conversation(
        &self,
        ctx: &Context<'_>,
        input: DeleteConversationInput,
    ) -> Option<Result<DeleteConversationPayload>> {
        nullable(async {
            let id = input.conversation_id;
            conversations::delete(app(ctx), viewer(ctx)?, id).await?;
            Ok(Some(DeleteConversationPayload {
                deleted_conversation_id: Some(id),
            }))
        })
        .await
    }

    /// Change the viewer's settings for one conversation. Omitted fields keep their values.
    async fn update_conversation_settings(
        &self,
        ctx: &Context<'_>,
        input: UpdateConversationSettingsInput,
    ) -> Option<Result<UpdateConversationSettingsPayload>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let settings = Settings {
                notification_level: input.notification_level.map(Into::into),
                muted_until: input.muted_until.map_value(|until| until.0).into(),
                is_pinned: input.is_pinned,
                is_archived: input.is_archived,
                is_hidden: input.is_hidden,
            };
            let id = input.conversation_id;
            let row = conversations::update_settings(app(ctx), viewer, id, &settings).await?;
            Ok(Some(UpdateConversationSettingsPayload {
                conversation: Some(Conversation(row)),
            }))
        })
        .await
    }
}
