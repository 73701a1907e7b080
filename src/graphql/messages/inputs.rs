//! Inputs and payloads of the message mutations.

use async_graphql::{InputObject, MaybeUndefined, SimpleObject};

use crate::{
    graphql::{
        messages::types::{Message, MessageEdge, MessagePriority},
        scalars::DateTime,
        threads::types::ThreadReplyEdge,
    },
    id::{ConversationId, MessageId},
};

/// A message to send.
#[derive(InputObject)]
pub struct SendMessageInput {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message that this one replies to; omit for a root message.
    pub parent_id: Option<MessageId>,
    /// Markdown text.
    pub body: String,
    /// How strongly to flag it.
    #[graphql(default_with = "MessagePriority::Normal")]
    pub priority: MessagePriority,
    /// A key chosen by the client, at most 64 characters, unique per sender and conversation. Sending
    /// with it again returns the first message.
    pub client_message_id: Option<String>,
}

/// Result of sendMessage.
#[derive(SimpleObject)]
pub struct SendMessagePayload {
    /// The message.
    pub message: Option<Message>,
    /// The message as an edge, to insert into the timeline; null for a reply.
    pub message_edge: Option<MessageEdge>,
    /// The message as an edge, to insert into the thread; null for a root message.
    pub reply_edge: Option<ThreadReplyEdge>,
    /// Whether an earlier request with this clientMessageId has already sent it.
    pub was_duplicate: bool,
}

/// A new text.
#[derive(InputObject)]
pub struct EditMessageInput {
    /// The message.
    pub message_id: MessageId,
    /// Markdown text.
    pub body: String,
    /// The reason, shown in the history, on one line of at most 200 characters.
    pub reason: Option<String>,
    /// `editedAt` of the version being replaced, or null if it was never edited. If it is given and no
    /// longer true, the edit fails with CONFLICT. Omit to overwrite.
    pub expected_edited_at: MaybeUndefined<DateTime>,
}

/// Result of editMessage.
#[derive(SimpleObject)]
pub struct EditMessagePayload {
    /// The message.
    pub message: Option<Message>,
}

/// Which message to delete.
#[derive(InputObject)]
pub struct DeleteMessageInput {
    /// The message.
    pub message_id: MessageId,
}

/// Result of deleteMessage.
#[derive(SimpleObject)]
pub struct DeleteMessagePayload {
    /// Id of the message.
    pub deleted_message_id: Option<MessageId>,
    /// The empty marker that stays while the message has replies; null otherwise.
    pub message: Option<Message>,
}
