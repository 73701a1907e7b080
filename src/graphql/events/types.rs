//! The types that implement `Event`.

use async_graphql::{Enum, SimpleObject};

use crate::{
    graphql::{
        accounts::types::Viewer, conversations::types::Conversation, messages::types::Message,
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
    /// All events since the given cursor follow; state that was loaded earlier stays valid.
    Resumed,
    /// The cursor is too old or unknown, or events could not be delivered; load the state again.
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

/// What every event contains.
pub(super) struct EventHeader {
    pub(super) cursor: String,
    pub(super) occurred_at: DateTime,
}

/// Declares an object type that implements `Event`: `cursor` and `occurredAt`, then its own fields.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* }) => {
        event! {
            $(#[$doc])*
            $name("Resume point just after this event.", "When it happened.") { $($fields)* }
        }
    };
    (
        $(#[$doc:meta])*
        $name:ident($cursor:literal, $occurred_at:literal) { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(SimpleObject, Clone, Debug)]
        pub struct $name {
            #[doc = $cursor]
            #[graphql(owned)]
            pub cursor: String,
            #[doc = $occurred_at]
            #[graphql(owned)]
            pub occurred_at: DateTime,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            pub(super) fn new(header: EventHeader, $($field: $type),*) -> Self {
                let EventHeader { cursor, occurred_at } = header;
                Self { cursor, occurred_at, $($field),* }
            }
        }
    };
}

event! {
    /// First event on every stream: states whether events were missed. Sent again, with RESET, instead of events that
    /// could not be delivered.
    StreamOpenedEvent("Resume point just after this event.", "When the stream opened.") {
        /// What to do with state loaded earlier.
        outcome: StreamOutcome,
    }
}

event! {
    /// A message was sent.
    MessageSentEvent {
        /// The new message.
        message: Message,
    }
}

event! {
    /// A message's text changed.
    MessageEditedEvent {
        /// The message as it is now.
        message: Message,
    }
}

event! {
    /// A message was deleted.
    MessageDeletedEvent {
        /// Its id.
        message_id: MessageId,
        /// The conversation that contained it.
        conversation: Conversation,
        /// The empty marker while the message has replies; null when it was removed completely.
        message: Option<Message>,
    }
}

event! {
    /// A thread's counts or the viewer's state in it changed.
    ThreadChangedEvent {
        /// The thread as it is now.
        thread: Thread,
    }
}

event! {
    /// The viewer joined or was added to a conversation.
    ConversationJoinedEvent {
        /// The conversation.
        conversation: Conversation,
    }
}

event! {
    /// A conversation's own fields, or the viewer's settings for it, changed.
    ConversationChangedEvent {
        /// The conversation as it is now.
        conversation: Conversation,
    }
}

event! {
    /// The viewer left, was removed, or the conversation was deleted. Drop it from the client, with its notifications.
    ConversationLeftEvent {
        /// Its id.
        conversation_id: ConversationId,
    }
}

event! {
    /// Someone else joined, left or changed role.
    ParticipantChangedEvent {
        /// The conversation.
        conversation: Conversation,
        /// The user.
        user: User,
        /// Their membership now; null when they have left.
        participant: Option<Participant>,
    }
}

event! {
    /// Someone read or received up to a message: the viewer on another device, or another participant.
    ReadPositionChangedEvent {
        /// The conversation.
        conversation: Conversation,
        /// The thread; null for the main timeline.
        thread: Option<Thread>,
        /// The user.
        user: User,
        /// Last message read; null when only delivery moved or everything is unread again.
        read_up_to: Option<Message>,
    }
}

event! {
    /// The viewer got a notification.
    NotificationAddedEvent {
        /// The notification.
        notification: Notification,
    }
}

event! {
    /// Notifications were read or dismissed, here or elsewhere.
    NotificationsChangedEvent {
        /// Their ids; null when all notifications changed. After the viewer left a conversation, only those of mentions,
        /// replies and memberships there are listed.
        notification_ids: Option<Vec<NotificationId>>,
        /// Current totals.
        unread: UnreadTotals,
    }
}

event! {
    /// Someone's public profile changed.
    UserChangedEvent {
        /// The user as they are now.
        user: User,
    }
}

event! {
    /// The viewer's own data changed, here or on another device: the users whom they blocked.
    ViewerChangedEvent {
        /// The viewer's data as it is now.
        viewer: Viewer,
    }
}

event! {
    /// Someone's presence changed. Ephemeral: never replayed. Not delivered about people with whom the viewer shares only
    /// conversations of more than 200 connected subscribers; query their presence instead.
    PresenceChangedEvent("Resume point; unchanged by this event.", "When it happened.") {
        /// The user, with their presence now.
        user: User,
    }
}

event! {
    /// Someone began or stopped typing. Ephemeral: never replayed.
    TypingChangedEvent("Resume point; unchanged by this event.", "When it happened.") {
        /// The conversation.
        conversation: Conversation,
        /// The thread; null for the main timeline.
        thread: Option<Thread>,
        /// The user.
        user: User,
        /// When to assume that they stopped; null when they just did.
        expires_at: Option<DateTime>,
    }
}

event! {
    /// This session is over; the server closes the stream next.
    SessionEndedEvent("Resume point; unchanged by this event.", "When it happened.") {
        /// The reason.
        reason: SessionEndReason,
    }
}
