//! The types that implement `Event`.

use async_graphql::{Enum, SimpleObject};

use crate::{
    graphql::{
        conversations::types::Conversation, messages::types::Message,
        notifications::types::Notification, participants::types::Participant,
        reads::types::UnreadTotals, scalars::DateTime, threads::types::Thread, users::types::User,
    },
    id::{ConversationId, MessageId, NotificationId},
    live::{log::EndReason, resume::Opening},
};

/// How a stream began.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Opening")]
pub enum StreamOutcome {
    /// No cursor was given; the stream starts now.
    Started,
    /// Everything since the given cursor follows; earlier state stays good.
    Resumed,
    /// The cursor is too old or unknown; load the state again.
    Reset,
}

/// Why a session ended.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "EndReason")]
pub enum SessionEndReason {
    /// The viewer signed out, here or remotely.
    SignedOut,
    /// It was not renewed in time.
    Expired,
    /// An administrator suspended the account or ended its sessions.
    Revoked,
    /// The account was deleted.
    AccountDeleted,
}

/// First event on every stream: says whether anything was missed.
#[derive(SimpleObject, Clone, Debug)]
pub struct StreamOpenedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When the stream opened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// What to do with state loaded earlier.
    pub outcome: StreamOutcome,
}

/// A message was sent.
#[derive(SimpleObject, Clone, Debug)]
pub struct MessageSentEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The new message.
    pub message: Message,
}

/// A message's text changed.
#[derive(SimpleObject, Clone, Debug)]
pub struct MessageEditedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The message as it is now.
    pub message: Message,
}

/// A message was deleted.
#[derive(SimpleObject, Clone, Debug)]
pub struct MessageDeletedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Its id.
    pub message_id: MessageId,
    /// Where it was.
    pub conversation: Conversation,
    /// The empty marker, while replies hang below it; null when nothing is left.
    pub message: Option<Message>,
}

/// A thread's counts or the viewer's state in it changed.
#[derive(SimpleObject, Clone, Debug)]
pub struct ThreadChangedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The thread as it is now.
    pub thread: Thread,
}

/// The viewer joined or was added to a conversation.
#[derive(SimpleObject, Clone, Debug)]
pub struct ConversationJoinedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The conversation.
    pub conversation: Conversation,
}

/// A conversation's own fields, or the viewer's settings for it, changed.
#[derive(SimpleObject, Clone, Debug)]
pub struct ConversationChangedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The conversation as it is now.
    pub conversation: Conversation,
}

/// The viewer left, was removed, or the conversation was deleted. Drop it from the client.
#[derive(SimpleObject, Clone, Debug)]
pub struct ConversationLeftEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Its id.
    pub conversation_id: ConversationId,
}

/// Someone else joined, left or changed role.
#[derive(SimpleObject, Clone, Debug)]
pub struct ParticipantChangedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Where.
    pub conversation: Conversation,
    /// Who.
    pub user: User,
    /// Their membership now; null when they are gone.
    pub participant: Option<Participant>,
}

/// Someone read or received up to a message: the viewer on another device, or another participant.
#[derive(SimpleObject, Clone, Debug)]
pub struct ReadPositionChangedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Where.
    pub conversation: Conversation,
    /// In which thread; null for the main timeline.
    pub thread: Option<Thread>,
    /// Who.
    pub user: User,
    /// Last message read; null when only delivery moved or everything is unread again.
    pub read_up_to: Option<Message>,
}

/// The viewer got a notification.
#[derive(SimpleObject, Clone, Debug)]
pub struct NotificationAddedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The notification.
    pub notification: Notification,
}

/// Notifications were read or dismissed, here or elsewhere.
#[derive(SimpleObject, Clone, Debug)]
pub struct NotificationsChangedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Which ones; null when all of them.
    pub notification_ids: Option<Vec<NotificationId>>,
    /// Current totals.
    pub unread: UnreadTotals,
}

/// Someone's public profile changed.
#[derive(SimpleObject, Clone, Debug)]
pub struct UserChangedEvent {
    /// Resume point just after this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// The person as they are now.
    pub user: User,
}

/// Someone came or went. Fleeting: never replayed.
#[derive(SimpleObject, Clone, Debug)]
pub struct PresenceChangedEvent {
    /// Resume point; unchanged by this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Who, with their presence now.
    pub user: User,
}

/// Someone began or stopped typing. Fleeting: never replayed.
#[derive(SimpleObject, Clone, Debug)]
pub struct TypingChangedEvent {
    /// Resume point; unchanged by this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Where.
    pub conversation: Conversation,
    /// In which thread; null for the main timeline.
    pub thread: Option<Thread>,
    /// Who.
    pub user: User,
    /// When to assume they stopped; null when they just did.
    pub expires_at: Option<DateTime>,
}

/// This session is over; the server closes the stream next.
#[derive(SimpleObject, Clone, Debug)]
pub struct SessionEndedEvent {
    /// Resume point; unchanged by this event.
    #[graphql(owned)]
    pub cursor: String,
    /// When it happened.
    #[graphql(owned)]
    pub occurred_at: DateTime,
    /// Why.
    pub reason: SessionEndReason,
}
