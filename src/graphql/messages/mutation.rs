//! The message mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::messages::{self, MessageEdit, NewMessage},
    entity::message,
    graphql::{
        context::{app, viewer},
        errors::{Result, nullable},
        messages::{
            inputs::{
                DeleteMessageInput, DeleteMessagePayload, EditMessageInput, EditMessagePayload,
                SendMessageInput, SendMessagePayload,
            },
            types::{Message, MessageEdge},
        },
        pagination::Cursor,
        threads::types::ThreadReplyEdge,
    },
};

/// The message mutations.
#[derive(Default, Debug)]
pub struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Send a message, or a reply when `parentId` is given. Safe to repeat with the same
    /// `clientMessageId`.
    async fn send_message(
        &self,
        ctx: &Context<'_>,
        input: SendMessageInput,
    ) -> Option<Result<SendMessagePayload>> {
        nullable(async {
            let new = NewMessage {
                conversation: input.conversation_id,
                parent: input.parent_id,
                body: input.body,
                priority: input.priority.into(),
                client_message_id: input.client_message_id,
            };
            let sent = messages::send(app(ctx), &app(ctx).sends, viewer(ctx)?, &new).await?;
            let is_root = sent.message.root_id.is_none();
            Ok(Some(SendMessagePayload {
                message_edge: is_root.then(|| edge(&sent.message)),
                reply_edge: (!is_root).then(|| ThreadReplyEdge::in_tree(sent.message.clone())),
                message: Some(sent.message.into()),
                was_duplicate: sent.was_duplicate,
            }))
        })
        .await
    }

    /// Replace a message's text. The previous text is added to its history.
    async fn edit_message(
        &self,
        ctx: &Context<'_>,
        input: EditMessageInput,
    ) -> Option<Result<EditMessagePayload>> {
        nullable(async {
            let edit = MessageEdit {
                message: input.message_id,
                body: input.body,
                reason: input.reason,
                expected_edited_at: input.expected_edited_at.map_value(|time| time.0).into(),
            };
            let message = messages::edit(app(ctx), viewer(ctx)?, &edit).await?;
            Ok(Some(EditMessagePayload {
                message: Some(message.into()),
            }))
        })
        .await
    }

    /// Delete a message. An empty marker stays while it has replies.
    async fn delete_message(
        &self,
        ctx: &Context<'_>,
        input: DeleteMessageInput,
    ) -> Option<Result<DeleteMessagePayload>> {
        nullable(async {
            let deleted = messages::delete(app(ctx), viewer(ctx)?, input.message_id).await?;
            Ok(Some(DeleteMessagePayload {
                deleted_message_id: Some(deleted.id),
                message: deleted.marker.map(Message::from),
            }))
        })
        .await
    }
}

fn edge(row: &message::Model) -> MessageEdge {
    MessageEdge {
        cursor: Cursor::new(row.seq),
        node: row.clone().into(),
    }
}
