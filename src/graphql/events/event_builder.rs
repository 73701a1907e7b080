//! Builds the event that a change is to one viewer: its objects are loaded as they are now, if the viewer may see them.

use std::hash::Hash;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{messages, notifications::plain, participants, reads::receipts},
    entity::participant,
    graphql::{
        accounts::types::Viewer,
        conversations::{loader::ConversationKey, types::Conversation},
        errors::{FieldError, Result},
        events::{
            filter::EventFilter,
            interface::Event,
            types::{
                ConversationChangedEvent, ConversationJoinedEvent, ConversationLeftEvent,
                EventHeader, MessageDeletedEvent, MessageEditedEvent, MessageSentEvent,
                NotificationAddedEvent, NotificationsChangedEvent, ParticipantChangedEvent,
                PresenceChangedEvent, ReadPositionChangedEvent, ThreadChangedEvent,
                TypingChangedEvent, UserChangedEvent, ViewerChangedEvent,
            },
        },
        loaders::Loaders,
        messages::loader::MessageKey,
        notifications::{loader::NotificationKey, types::Notification},
        participants::types::Participant,
        reads::types::UnreadTotals,
        threads::loader::ThreadKey,
        users::{loader::UserKey, types::User},
    },
    id::{ConversationId, MessageId, NotificationId, ThreadId, UserId},
    live::{entry::Entry, log::Change},
};

/// The event for the viewer of these loaders. None when the filter excludes it, when the viewer may not see its object,
/// or when the object no longer exists: its deletion is a separate event.
pub(super) async fn build(
    loaders: &Loaders,
    filter: &EventFilter,
    entry: &Entry,
    cursor: String,
) -> Result<Option<Event>> {
    let Some(change) = entry.change.as_ref().filter(|change| filter.wants(change)) else {
        return Ok(None);
    };
    let builder = Builder {
        loaders,
        header: EventHeader {
            cursor,
            occurred_at: entry.at.into(),
        },
    };
    let event = builder.event(change).await?;
    Ok(event.filter(|event| is_wanted(filter, event)))
}

/// Whether the filter selects the event's conversation, for a change that does not contain it. The hub leaves out the
/// streams of other conversations, but a user's own stream contains events of all of them.
fn is_wanted(filter: &EventFilter, event: &Event) -> bool {
    match event {
        Event::ThreadChanged(event) => filter.wants_conversation(event.thread.0.conversation_id),
        _ => true,
    }
}

struct Builder<'a> {
    loaders: &'a Loaders,
    header: EventHeader,
}

impl Builder<'_> {
    async fn event(self, change: &Change) -> Result<Option<Event>> {
        match change {
            Change::MessageSent { message } => {
                self.of_object(MessageKey(*message), MessageSentEvent::new)
                    .await
            }
            Change::MessageEdited { message } => {
                self.of_object(MessageKey(*message), MessageEditedEvent::new)
                    .await
            }
            Change::MessageDeleted {
                message,
                conversation,
            } => self.message_deleted(*message, *conversation).await,
            Change::ThreadChanged { thread } => {
                self.of_object(ThreadKey(*thread), ThreadChangedEvent::new)
                    .await
            }
            Change::ConversationJoined { conversation } => {
                let key = ConversationKey(*conversation);
                self.of_object(key, ConversationJoinedEvent::new).await
            }
            Change::ConversationChanged { conversation } => {
                let key = ConversationKey(*conversation);
                self.of_object(key, ConversationChangedEvent::new).await
            }
            Change::ConversationLeft { conversation } => Ok(Some(
                ConversationLeftEvent::new(self.header, *conversation).into(),
            )),
            Change::ParticipantChanged { conversation, user } => {
                self.participant_changed(*conversation, *user).await
            }
            Change::ReadPositionChanged {
                conversation,
                thread,
                user,
                up_to,
                ..
            } => {
                let scope = (*conversation, *thread);
                self.read_position_changed(scope, *user, *up_to).await
            }
            Change::UserChanged { user } => {
                self.of_object(UserKey(*user), UserChangedEvent::new).await
            }
            Change::ViewerChanged => {
                let viewer = Viewer(self.loaders.viewer()?.clone());
                Ok(Some(ViewerChangedEvent::new(self.header, viewer).into()))
            }
            Change::NotificationsAdded { to, message } => {
                match to.get(&self.loaders.viewer()?.user) {
                    Some(notification) => {
                        let key = NotificationKey(*notification);
                        self.of_object(key, NotificationAddedEvent::new).await
                    }
                    None => self.plain_notification_added(*message).await,
                }
            }
            Change::PlainNotificationsRemoved { messages } => {
                let (app, viewer) = (self.loaders.app(), self.loaders.viewer()?);
                let ids = plain::removed(app.db.read(), viewer, messages).await?;
                if ids.is_empty() {
                    return Ok(None);
                }
                self.notifications_changed(Some(ids)).await
            }
            Change::NotificationsChanged { notifications } => {
                self.notifications_changed(notifications.clone()).await
            }
            Change::PresenceChanged { user } => {
                self.of_object(UserKey(*user), PresenceChangedEvent::new)
                    .await
            }
            Change::TypingChanged {
                conversation,
                thread,
                user,
                expires_at,
            } => {
                let scope = (*conversation, *thread);
                self.typing_changed(scope, *user, *expires_at).await
            }
            // The stream itself delivers these.
            Change::SessionEnded { .. } | Change::StreamReset => Ok(None),
        }
    }

    async fn plain_notification_added(self, message: Option<MessageId>) -> Result<Option<Event>> {
        let (app, viewer) = (self.loaders.app(), self.loaders.viewer()?);
        let Some(message) = message else {
            return Ok(None);
        };
        let added = plain::added(app.db.read(), viewer, message).await?;
        Ok(added.map(|row| NotificationAddedEvent::new(self.header, Notification(row)).into()))
    }

    async fn notifications_changed(
        self,
        ids: Option<Vec<NotificationId>>,
    ) -> Result<Option<Event>> {
        let (app, viewer) = (self.loaders.app(), self.loaders.viewer()?);
        let unread = UnreadTotals::of(app, viewer).await?;
        let event = NotificationsChangedEvent::new(self.header, ids, unread);
        Ok(Some(event.into()))
    }

    /// An event whose only field is one object.
    async fn of_object<K, E>(
        self,
        key: K,
        new: impl FnOnce(EventHeader, <Loaders as Loader<K>>::Value) -> E,
    ) -> Result<Option<Event>>
    where
        K: Copy + Eq + Hash + Send + Sync + 'static,
        Loaders: Loader<K, Error = FieldError>,
        Event: From<E>,
    {
        let object = load_one(self.loaders, key).await?;
        Ok(object.map(|object| new(self.header, object).into()))
    }

    async fn message_deleted(
        self,
        id: MessageId,
        conversation: ConversationId,
    ) -> Result<Option<Event>> {
        let Some(conversation) = load_one(self.loaders, ConversationKey(conversation)).await?
        else {
            return Ok(None);
        };
        let (db, viewer) = (self.loaders.app().db.read(), self.loaders.viewer()?);
        if messages::is_hidden(db, viewer, id).await? {
            return Ok(None);
        }
        let message = load_one(self.loaders, MessageKey(id)).await?;
        let event = MessageDeletedEvent::new(self.header, id, conversation, message);
        Ok(Some(event.into()))
    }

    async fn participant_changed(
        self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Event>> {
        let Some((conversation, user)) = self.conversation_and_user(conversation, user).await?
        else {
            return Ok(None);
        };
        let participant = participants::visible(self.loaders.viewer()?)
            .filter(participant::Column::ConversationId.eq(conversation.0.id))
            .filter(participant::Column::UserId.eq(user.0.id))
            .one(self.loaders.app().db.read())
            .await?
            .map(Participant);
        let event = ParticipantChangedEvent::new(self.header, conversation, user, participant);
        Ok(Some(event.into()))
    }

    async fn read_position_changed(
        self,
        (conversation, thread): (ConversationId, Option<ThreadId>),
        user: UserId,
        up_to: Option<MessageId>,
    ) -> Result<Option<Event>> {
        let is_own = user == self.loaders.viewer()?.user;
        if !is_own {
            let db = self.loaders.app().db.read();
            let shared = receipts::shared_by(db, user, &[conversation]).await?;
            if !shared.contains(&conversation) {
                return Ok(None);
            }
        }
        let Some((conversation, user)) = self.conversation_and_user(conversation, user).await?
        else {
            return Ok(None);
        };
        let is_in_thread = thread.is_some();
        let thread = self.optional(thread.map(ThreadKey)).await?;
        let read_up_to = self.optional(up_to.map(MessageKey)).await?;
        // The read position of another user does not reveal a thread or message that the viewer cannot see.
        let is_hidden = is_in_thread && thread.is_none() || up_to.is_some() && read_up_to.is_none();
        if !is_own && is_hidden {
            return Ok(None);
        }
        let event =
            ReadPositionChangedEvent::new(self.header, conversation, thread, user, read_up_to);
        Ok(Some(Box::new(event).into()))
    }

    async fn typing_changed(
        self,
        (conversation, thread): (ConversationId, Option<ThreadId>),
        user: UserId,
        expires_at: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<Option<Event>> {
        if user == self.loaders.viewer()?.user {
            return Ok(None);
        }
        let Some((conversation, user)) = self.conversation_and_user(conversation, user).await?
        else {
            return Ok(None);
        };
        let is_in_thread = thread.is_some();
        let thread = self.optional(thread.map(ThreadKey)).await?;
        if is_in_thread && thread.is_none() {
            return Ok(None);
        }
        let expires_at = expires_at.map(Into::into);
        let event = TypingChangedEvent::new(self.header, conversation, thread, user, expires_at);
        Ok(Some(Box::new(event).into()))
    }

    async fn conversation_and_user(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<(Conversation, User)>> {
        let conversation = load_one(self.loaders, ConversationKey(conversation)).await?;
        let user = load_one(self.loaders, UserKey(user)).await?;
        Ok(conversation.zip(user))
    }

    async fn optional<K>(&self, key: Option<K>) -> Result<Option<<Loaders as Loader<K>>::Value>>
    where
        K: Copy + Eq + Hash + Send + Sync + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        match key {
            Some(key) => load_one(self.loaders, key).await,
            None => Ok(None),
        }
    }
}

/// Loads the value of one key.
pub(super) async fn load_one<K>(
    loaders: &Loaders,
    key: K,
) -> Result<Option<<Loaders as Loader<K>>::Value>>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    Loaders: Loader<K, Error = FieldError>,
{
    Ok(loaders.load(&[key]).await?.remove(&key))
}
