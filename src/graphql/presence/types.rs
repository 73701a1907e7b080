//! The `PresenceStatus` enum, and the inputs and payloads of presence and typing.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};

use crate::{
    domain::presence::NewPresence,
    entity::presence,
    graphql::{scalars::DateTime, users::types::User},
    id::{ConversationId, ThreadId},
};

/// Whether someone is available.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "presence::PresenceStatus")]
pub enum PresenceStatus {
    /// Active now.
    Online,
    /// Connected but idle.
    Away,
    /// Does not want to be disturbed.
    Busy,
    /// Not connected, or not shared.
    Offline,
}

/// New presence.
#[derive(InputObject)]
pub struct SetPresenceInput {
    /// The status; OFFLINE hides the viewer.
    pub status: PresenceStatus,
    /// Free text; null clears.
    pub status_text: MaybeUndefined<String>,
    /// When the text and status expire; omit to keep them.
    pub expires_at: Option<DateTime>,
}

impl From<SetPresenceInput> for NewPresence {
    fn from(input: SetPresenceInput) -> Self {
        Self {
            status: input.status.into(),
            text: input.status_text.into(),
            expires_at: input.expires_at.map(|at| at.0),
        }
    }
}

/// Result of setPresence.
#[derive(SimpleObject)]
pub struct SetPresencePayload {
    /// The viewer as others see them.
    pub user: Option<User>,
}

/// Whether the viewer is typing.
#[derive(InputObject)]
pub struct SetTypingInput {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The thread; omit for the main timeline.
    pub thread_id: Option<ThreadId>,
    /// Send true every few seconds while typing; it expires otherwise.
    pub is_typing: bool,
}

/// Result of setTyping.
#[derive(SimpleObject)]
pub struct SetTypingPayload {
    /// When it expires unless repeated; null when typing has stopped.
    pub expires_at: Option<DateTime>,
}
