//! What distinguishes the subscription fields from each other: which changes each delivers, and as what.

use std::sync::Arc;

use crate::{
    graphql::{
        errors::Result,
        events::{
            event_builder::{build, load_one},
            filter::EventFilter,
            interface::Event,
            types::{EventHeader, SessionEndedEvent, StreamOpenedEvent},
        },
        loaders::Loaders,
        messages::{loader::MessageKey, types::Message},
    },
    id::ConversationId,
    live::{
        entry::Entry,
        log::{Change, EndReason},
        resume::Opening,
    },
};

/// A subscription field with its arguments.
pub(super) trait SubscriptionFeed: Clone + Send + Sync + 'static {
    /// What the field returns.
    type Item: Send + 'static;

    /// Whether the field delivers this change.
    fn wants(&self, change: &Change) -> bool;

    /// Loads what the field returns for an event. None when it does not deliver the event, when the viewer may not see
    /// its object, or when the object no longer exists.
    fn load(
        &self,
        loaders: &Loaders,
        entry: &Entry,
        cursor: String,
    ) -> impl Future<Output = Result<Option<Self::Item>>> + Send;

    /// The item with which the stream begins, or begins again, for a field that has one.
    fn opened(&self, _header: EventHeader, _opening: Opening) -> Option<Self::Item> {
        None
    }

    /// The item that follows the end of the session, for a field that has one.
    fn session_ended(&self, _header: EventHeader, _reason: EndReason) -> Option<Self::Item> {
        None
    }

    /// Whether this change ends the stream.
    fn ends_with(&self, _change: &Change) -> bool {
        false
    }
}

/// `Subscription.events`: everything that the viewer may see and the filter selects.
#[derive(Clone)]
pub(super) struct EventFeed(pub(super) Arc<EventFilter>);

impl SubscriptionFeed for EventFeed {
    type Item = Event;

    fn wants(&self, change: &Change) -> bool {
        self.0.wants(change)
    }

    async fn load(
        &self,
        loaders: &Loaders,
        entry: &Entry,
        cursor: String,
    ) -> Result<Option<Event>> {
        build(loaders, &self.0, entry, cursor).await
    }

    fn opened(&self, header: EventHeader, opening: Opening) -> Option<Event> {
        Some(StreamOpenedEvent::new(header, opening.into()).into())
    }

    fn session_ended(&self, header: EventHeader, reason: EndReason) -> Option<Event> {
        Some(SessionEndedEvent::new(header, reason.into()).into())
    }
}

/// `Subscription.messageSent`: the new messages of one conversation.
#[derive(Clone)]
pub(super) struct MessageFeed(pub(super) ConversationId);

impl SubscriptionFeed for MessageFeed {
    type Item = Message;

    fn wants(&self, change: &Change) -> bool {
        matches!(change, Change::MessageSent { .. })
    }

    async fn load(&self, loaders: &Loaders, entry: &Entry, _: String) -> Result<Option<Message>> {
        match entry.change {
            Some(Change::MessageSent { message }) => load_one(loaders, MessageKey(message)).await,
            _ => Ok(None),
        }
    }

    fn ends_with(&self, change: &Change) -> bool {
        matches!(change, Change::ConversationLeft { conversation } if *conversation == self.0)
    }
}
