//! Changes of conversations.

use async_graphql::{Context, Object};

use crate::{
    domain::conversations::{self, NewGroup},
    graphql::{
        context::{app, viewer},
        conversations::types::{
            Conversation, CreateConversationInput, CreateConversationPayload,
            OpenDirectConversationInput, OpenDirectConversationPayload,
        },
        errors::Result,
    },
};

/// Changes of conversations.
#[derive(Default, Debug)]
pub struct ConversationMutation;

#[Object]
impl ConversationMutation {
    /// Find or create the direct conversation between the viewer and these people.
    async fn open_direct_conversation(
        &self,
        ctx: &Context<'_>,
        input: OpenDirectConversationInput,
    ) -> Result<Option<OpenDirectConversationPayload>> {
        let viewer = viewer(ctx)?;
        let opened = conversations::open_direct(app(ctx), viewer, &input.user_ids).await?;
        Ok(Some(OpenDirectConversationPayload {
            conversation: Some(Conversation(opened.conversation)),
            was_created: opened.was_created,
        }))
    }

    /// Create a group conversation; the viewer becomes its owner.
    async fn create_conversation(
        &self,
        ctx: &Context<'_>,
        input: CreateConversationInput,
    ) -> Result<Option<CreateConversationPayload>> {
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
    }
}
