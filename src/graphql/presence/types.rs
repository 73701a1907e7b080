//! `PresenceStatus`, inputs and payloads.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};

use crate::{
    domain::presence::{NewPresence, Status},
    graphql::{scalars::DateTime, users::types::User},
    id::{ConversationId, ThreadId},
};

/// Whether someone is around.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Status")]
pub enum PresenceStatus {
    /// Active now.
    Online,
    /// Connected but idle.
    Away,
    /// Asked not to be disturbed.
    Busy,
    /// Not connected, or not shared.
    Offline,
}

/// New presence.
#[derive(InputObject)]
pub struct SetPresenceInput {
    /// State; OFFLINE hides the viewer.
    pub status: PresenceStatus,
    /// Own words; null clears.
    pub status_text: MaybeUndefined<String>,
    /// When the text and state lapse; omit to keep them.
    pub expires_at: Option<DateTime>,
}

impl From<SetPresenceInput> for NewPresence {
    fn from(input: SetPresenceInput) -> Self {
        Self {
            status: input.status.into(),
            text: match input.status_text {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            lapses_at: input.expires_at.map(|at| at.0),
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
    /// Where.
    pub conversation_id: ConversationId,
    /// In which thread; omit for the main timeline.
    pub thread_id: Option<ThreadId>,
    /// True every few seconds while typing; it lapses by itself.
    pub is_typing: bool,
}

/// Result of setTyping.
#[derive(SimpleObject)]
pub struct SetTypingPayload {
    /// When it lapses unless repeated; null when it just stopped.
    pub expires_at: Option<DateTime>,
}
