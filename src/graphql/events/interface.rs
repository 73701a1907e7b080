//! The interface `Event`.
#![expect(
    missing_docs,
    reason = "the derive makes public methods that cannot carry docs"
)]

use async_graphql::Interface;

use crate::graphql::{
    events::types::{
        ConversationChangedEvent, ConversationJoinedEvent, ConversationLeftEvent,
        MessageDeletedEvent, MessageEditedEvent, MessageSentEvent, NotificationAddedEvent,
        NotificationsChangedEvent, ParticipantChangedEvent, PresenceChangedEvent,
        ReadPositionChangedEvent, SessionEndedEvent, StreamOpenedEvent, ThreadChangedEvent,
        TypingChangedEvent, UserChangedEvent, ViewerChangedEvent,
    },
    scalars::DateTime,
};

/// Something that happened. New types may be added; skip ones you do not know, but keep their cursor.
#[derive(Interface, Clone, Debug)]
#[graphql(
    field(
        name = "cursor",
        ty = "String",
        desc = "Resume point just after this event."
    ),
    field(name = "occurred_at", ty = "DateTime", desc = "When it happened.")
)]
pub enum Event {
    /// First event on every stream: states whether events were missed.
    StreamOpened(StreamOpenedEvent),
    /// A message was sent.
    MessageSent(MessageSentEvent),
    /// A message's text changed.
    MessageEdited(MessageEditedEvent),
    /// A message was deleted.
    MessageDeleted(MessageDeletedEvent),
    /// A thread's counts or the viewer's state in it changed.
    ThreadChanged(ThreadChangedEvent),
    /// The viewer joined or was added to a conversation.
    ConversationJoined(ConversationJoinedEvent),
    /// A conversation's own fields, or the viewer's settings for it, changed.
    ConversationChanged(ConversationChangedEvent),
    /// The viewer left, was removed, or the conversation was deleted. Drop it from the client.
    ConversationLeft(ConversationLeftEvent),
    /// Someone else joined, left or changed role.
    ParticipantChanged(ParticipantChangedEvent),
    /// Someone read or received up to a message: the viewer on another device, or another participant.
    ReadPositionChanged(Box<ReadPositionChangedEvent>),
    /// The viewer got a notification.
    NotificationAdded(NotificationAddedEvent),
    /// Notifications were read or dismissed, here or elsewhere.
    NotificationsChanged(NotificationsChangedEvent),
    /// Someone's public profile changed.
    UserChanged(UserChangedEvent),
    /// The viewer's own data changed, here or on another device.
    ViewerChanged(ViewerChangedEvent),
    /// This session is over; the server closes the stream next.
    SessionEnded(SessionEndedEvent),
    /// Someone's presence changed. Ephemeral: never replayed.
    PresenceChanged(PresenceChangedEvent),
    /// Someone began or stopped typing. Ephemeral: never replayed.
    TypingChanged(Box<TypingChangedEvent>),
}
