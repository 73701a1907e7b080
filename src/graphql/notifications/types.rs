//! The `Notification` type, and the inputs and payloads of its mutations.

use async_graphql::{Context, Enum, InputObject, Object, OneofObject, SimpleObject};

use crate::{
    domain::notifications::Selection,
    entity::notification,
    graphql::{
        connection::connection,
        context::loaders,
        conversations::{loader::ConversationKey, types::Conversation},
        errors::Result,
        list_plan::PlannedObject,
        messages::{loader::MessageKey, types::Message},
        reads::types::unread_totals,
        scalars::DateTime,
        users::{loader::UserKey, types::User},
    },
    id::NotificationId,
};

/// The reason for a notification.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "notification::NotificationType")]
pub enum NotificationType {
    /// A message in a direct conversation, or in a group set to ALL.
    Message,
    /// A reply in a thread the viewer follows.
    Reply,
    /// A mention.
    Mention,
    /// The viewer was added to a conversation.
    AddedToConversation,
    /// The viewer's role changed.
    RoleChanged,
}

/// An event that the viewer is notified about.
#[derive(Clone, Debug)]
pub struct Notification(pub notification::Model);

/// An event that the viewer is notified about.
#[Object]
impl Notification {
    /// Unique id.
    pub async fn id(&self) -> NotificationId {
        self.0.id
    }

    /// The reason.
    #[graphql(name = "type")]
    async fn kind(&self) -> NotificationType {
        self.0.kind.into()
    }

    /// Who caused it; null for the server and for erased accounts.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        loaders(ctx).nullable(self.0.actor_id.map(UserKey)).await
    }

    /// The message it is about, if it still exists.
    async fn message(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        loaders(ctx)
            .nullable(self.0.message_id.map(MessageKey))
            .await
    }

    /// The conversation it is about, if the viewer still takes part in it.
    async fn conversation(&self, ctx: &Context<'_>) -> Option<Result<Conversation>> {
        loaders(ctx)
            .nullable(self.0.conversation_id.map(ConversationKey))
            .await
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Whether the viewer has read it.
    async fn is_read(&self) -> bool {
        self.0.read_at.is_some()
    }

    /// When the viewer read it; null while unread. Of a message that they read in its conversation, when they last read
    /// there.
    async fn read_at(&self) -> Option<DateTime> {
        self.0.read_at.map(DateTime)
    }
}

impl PlannedObject for Notification {}

connection!(
    NotificationConnection,
    NotificationEdge,
    Notification,
    "A page of notifications.",
    "A notification in a page."
);

/// A choice of notifications.
#[derive(OneofObject)]
pub enum NotificationSelection {
    /// The notifications with these ids.
    Ids(Vec<NotificationId>),
    /// All created at or before this time.
    Until(DateTime),
}

impl From<NotificationSelection> for Selection {
    fn from(selection: NotificationSelection) -> Self {
        match selection {
            NotificationSelection::Ids(ids) => Self::Ids(ids),
            NotificationSelection::Until(DateTime(time)) => Self::Until(time),
        }
    }
}

/// Which notifications to mark read.
#[derive(InputObject)]
pub struct MarkNotificationsReadInput {
    /// The notifications.
    pub notifications: NotificationSelection,
}

/// Result of markNotificationsRead.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct MarkNotificationsReadPayload {
    /// Notifications that became read.
    pub marked_count: i32,
}

/// Which notifications to remove.
#[derive(InputObject)]
pub struct DismissNotificationsInput {
    /// The notifications.
    pub notifications: NotificationSelection,
}

/// Result of dismissNotifications.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct DismissNotificationsPayload {
    /// Ids of the notifications that were removed.
    pub dismissed_notification_ids: Vec<NotificationId>,
}

unread_totals!(MarkNotificationsReadPayload, DismissNotificationsPayload);
