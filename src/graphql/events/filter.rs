//! `EventFilter`: the events that a client selects.

use std::collections::HashSet;

use async_graphql::{Enum, InputObject};

use crate::{
    id::ConversationId,
    live::{hub::ChangeFilter, log::Change},
};

/// Groups of events.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventCategory {
    /// Messages.
    Messages,
    /// Threads.
    Threads,
    /// Conversations and participants.
    Conversations,
    /// Read positions.
    ReadPositions,
    /// Notifications.
    Notifications,
    /// Profiles.
    Users,
    /// Presence.
    Presence,
    /// Typing.
    Typing,
}

/// Narrows the event stream. Conditions add up.
#[derive(InputObject, Clone, Debug, Default)]
pub struct EventFilter {
    /// Only events of these conversations, typing in them, and the presence of their members. Events outside
    /// conversations, such as notifications, profiles and the viewer's own presence, are still delivered.
    pub conversation_ids: Option<Vec<ConversationId>>,
    /// Only these groups of events. SessionEndedEvent and StreamOpenedEvent are always delivered.
    pub categories: Option<Vec<EventCategory>>,
}

impl EventFilter {
    /// The conversations to subscribe to; none for all.
    pub(super) fn conversations(&self) -> Option<HashSet<ConversationId>> {
        let ids = self.conversation_ids.as_ref()?;
        Some(ids.iter().copied().collect())
    }

    /// The changes to subscribe to; none for all.
    pub(super) fn changes(&self) -> Option<ChangeFilter> {
        self.categories.as_ref()?;
        let filter = self.clone();
        Some(ChangeFilter::new(move |change| filter.wants(change)))
    }

    /// Whether events of this conversation are selected.
    pub(super) fn wants_conversation(&self, id: ConversationId) -> bool {
        let only = self.conversation_ids.as_ref();
        only.is_none_or(|only| only.contains(&id))
    }

    /// Whether this kind of event is selected, and its conversation, if the change contains one.
    pub(super) fn wants(&self, change: &Change) -> bool {
        let Some(category) = category(change) else {
            return true;
        };
        let only = self.categories.as_ref();
        only.is_none_or(|only| only.contains(&category))
            && conversation(change).is_none_or(|id| self.wants_conversation(id))
    }
}

/// The conversation that a change contains.
fn conversation(change: &Change) -> Option<ConversationId> {
    match change {
        Change::MessageDeleted { conversation, .. }
        | Change::ConversationJoined { conversation }
        | Change::ConversationChanged { conversation }
        | Change::ConversationLeft { conversation }
        | Change::ParticipantChanged { conversation, .. }
        | Change::ReadPositionChanged { conversation, .. }
        | Change::TypingChanged { conversation, .. } => Some(*conversation),
        Change::MessageSent { .. }
        | Change::MessageEdited { .. }
        | Change::ThreadChanged { .. }
        | Change::NotificationsAdded { .. }
        | Change::PlainNotificationsRemoved { .. }
        | Change::NotificationsChanged { .. }
        | Change::UserChanged { .. }
        | Change::ViewerChanged
        | Change::SessionEnded { .. }
        | Change::PresenceChanged { .. }
        | Change::StreamReset => None,
    }
}

/// The group of an event; none for an event that is always delivered.
fn category(change: &Change) -> Option<EventCategory> {
    Some(match change {
        Change::MessageSent { .. }
        | Change::MessageEdited { .. }
        | Change::MessageDeleted { .. } => EventCategory::Messages,
        Change::ThreadChanged { .. } => EventCategory::Threads,
        Change::ConversationJoined { .. }
        | Change::ConversationChanged { .. }
        | Change::ConversationLeft { .. }
        | Change::ParticipantChanged { .. } => EventCategory::Conversations,
        Change::ReadPositionChanged { .. } => EventCategory::ReadPositions,
        Change::NotificationsAdded { .. }
        | Change::PlainNotificationsRemoved { .. }
        | Change::NotificationsChanged { .. } => EventCategory::Notifications,
        Change::UserChanged { .. } | Change::ViewerChanged => EventCategory::Users,
        Change::PresenceChanged { .. } => EventCategory::Presence,
        Change::TypingChanged { .. } => EventCategory::Typing,
        Change::SessionEnded { .. } | Change::StreamReset => return None,
    })
}
