//! The input and the result of a send.

use aws_lc_rs::digest;

use crate::{
    core::Core,
    domain::{sessions::Viewer, text},
    entity::message::{self, MessagePriority},
    error::Error,
    id::{ConversationId, MessageId, UserId},
};

/// A message to send.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The conversation.
    pub conversation: ConversationId,
    /// The message to reply to; none for a root message.
    pub parent: Option<MessageId>,
    /// Markdown text.
    pub body: String,
    /// The priority.
    pub priority: MessagePriority,
    /// A key chosen by the client.
    pub client_message_id: Option<String>,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message.
    pub message: message::Model,
    /// Whether an earlier request with the same key has sent it.
    pub was_duplicate: bool,
}

/// A message to send, with its sender.
#[derive(Clone, Debug)]
pub(super) struct SendRequest {
    pub(super) viewer: Viewer,
    pub(super) new: NewMessage,
}

impl SendRequest {
    /// The conversation and the sender.
    pub(super) fn membership(&self) -> (ConversationId, UserId) {
        (self.new.conversation, self.viewer.user)
    }

    /// The idempotency key, equal for repeated requests.
    pub(super) fn key(&self) -> Option<Key> {
        let (conversation, sender) = self.membership();
        let key = self.new.client_message_id.clone()?;
        Some((conversation, sender, key))
    }

    /// Returns the message that was sent with the same key, if its content is the same. Messages that were imported,
    /// or deleted before they kept a hash, have none.
    pub(super) fn same(
        &self,
        core: &Core,
        message: &message::Model,
    ) -> Result<message::Model, Error> {
        let own = || match message.deleted_at {
            Some(_) => core.keys.blind_digest(&self.new.content_hash()),
            None => self.new.content_hash(),
        };
        let hash = message.content_hash.as_ref();
        if hash.is_none_or(|hash| *hash == own()) {
            return Ok(message.clone());
        }
        Err(Error::conflict(
            "Another message was sent with this clientMessageId.",
        ))
    }
}

impl NewMessage {
    /// Returns the message in the form in which it is stored.
    pub(super) fn composed(&self) -> Self {
        Self {
            body: text::composed(&self.body),
            ..self.clone()
        }
    }

    /// Identifies the content that was sent, which an edit of the body does not change.
    pub(super) fn content_hash(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(
            self.parent
                .map_or([0; 16], |id| *id.0.as_bytes())
                .as_slice(),
        );
        context.update(match self.priority {
            MessagePriority::Normal => b"N",
            MessagePriority::Important => b"I",
            MessagePriority::Urgent => b"U",
        });
        context.update(self.body.as_bytes());
        context.finish().as_ref().to_vec()
    }
}

/// Identifies a message that is sent only once: conversation, sender and `clientMessageId`.
pub(super) type Key = (ConversationId, UserId, String);
