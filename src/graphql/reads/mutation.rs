//! The mutations that mark messages read and unread.

use async_graphql::{Context, Object};

use crate::{
    domain::reads::{self, UpTo},
    graphql::{
        context::{app, loaders, viewer},
        conversations::loader::ConversationKey,
        errors::{Result, nullable},
        messages::loader::MessageKey,
        reads::types::{
            MarkConversationsReadInput, MarkConversationsReadPayload, MarkMessagesReadInput,
            MarkMessagesReadPayload, MarkThreadReadInput, MarkThreadReadPayload,
            MarkUnreadFromInput, MarkUnreadFromPayload, int,
        },
        threads::loader::ThreadKey,
    },
};

/// The read-state mutations.
#[derive(Default, Debug)]
pub struct ReadMutation;

#[Object]
impl ReadMutation {
    /// Mark conversations read up to a message, or completely.
    async fn mark_conversations_read(
        &self,
        ctx: &Context<'_>,
        input: MarkConversationsReadInput,
    ) -> Option<Result<MarkConversationsReadPayload>> {
        nullable(async {
            let to: Vec<UpTo> = input
                .conversations
                .iter()
                .map(|read| UpTo {
                    conversation: read.conversation_id,
                    message: read.up_to_message_id,
                })
                .collect();
            let count = reads::mark_conversations(app(ctx), viewer(ctx)?, &to).await?;
            let keys = to.iter().map(|up_to| ConversationKey(up_to.conversation));
            Ok(Some(MarkConversationsReadPayload {
                conversations: loaders(ctx).load_list(keys).await?,
                marked_count: int(count),
            }))
        })
        .await
    }

    /// Mark a thread read up to a reply, or completely.
    async fn mark_thread_read(
        &self,
        ctx: &Context<'_>,
        input: MarkThreadReadInput,
    ) -> Option<Result<MarkThreadReadPayload>> {
        nullable(async {
            let (id, up_to) = (input.thread_id, input.up_to_message_id);
            let count = reads::mark_thread(app(ctx), viewer(ctx)?, id, up_to).await?;
            Ok(Some(MarkThreadReadPayload {
                thread: loaders(ctx).load_one(ThreadKey(id)).await?,
                marked_count: int(count),
            }))
        })
        .await
    }

    /// Mark single messages read, in any conversation.
    async fn mark_messages_read(
        &self,
        ctx: &Context<'_>,
        input: MarkMessagesReadInput,
    ) -> Option<Result<MarkMessagesReadPayload>> {
        nullable(async {
            let ids = input.message_ids;
            let count = reads::mark_messages(app(ctx), viewer(ctx)?, &ids).await?;
            Ok(Some(MarkMessagesReadPayload {
                messages: loaders(ctx)
                    .load_list(ids.into_iter().map(MessageKey))
                    .await?,
                marked_count: int(count),
            }))
        })
        .await
    }

    /// Move the viewer's read position back so that this message is the first unread one.
    async fn mark_unread_from(
        &self,
        ctx: &Context<'_>,
        input: MarkUnreadFromInput,
    ) -> Option<Result<MarkUnreadFromPayload>> {
        nullable(async {
            reads::mark_unread_from(app(ctx), viewer(ctx)?, input.message_id).await?;
            Ok(Some(MarkUnreadFromPayload {
                message: loaders(ctx).load_one(MessageKey(input.message_id)).await?,
            }))
        })
        .await
    }
}
