//! What a change looks like to one viewer: its objects as they are now, if they may see them now.

use std::hash::Hash;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{messages, participants, reads::receipts},
    entity::participant,
    graphql::{
        conversations::{loader::ConversationKey, types::Conversation},
        errors::{FieldError, Result},
        events::{
            filter::EventFilter,
            interface::Event,
            types::{
                ConversationChangedEvent, ConversationJoinedEvent, ConversationLeftEvent,
                MessageDeletedEvent, MessageEditedEvent, MessageSentEvent, NotificationAddedEvent,
                NotificationsChangedEvent, ParticipantChangedEvent, PresenceChangedEvent,
                ReadPositionChangedEvent, ThreadChangedEvent, TypingChangedEvent, UserChangedEvent,
            },
        },
        loaders::Loaders,
        messages::loader::MessageKey,
        notifications::loader::NotificationKey,
        participants::types::Participant,
        reads::types::UnreadTotals,
        scalars::DateTime,
        threads::loader::ThreadKey,
        users::loader::UserKey,
    },
    id::{ConversationId, MessageId, NotificationId, ThreadId, UserId},
    live::{entry::Entry, log::Change},
};

/// The event; none when it is not wanted, when the viewer may not see what it is about, or when that
/// is gone: its removal is an event of its own.
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
        cursor,
        occurred_at: entry.at.into(),
    };
    let event = builder.event(change).await?;
    Ok(event.filter(|event| is_wanted(filter, event)))
}

/// Whether the event's conversation is wanted, where the change did not name it. The hub leaves out the streams of
/// others; a person's own stream tells of them all.
fn is_wanted(filter: &EventFilter, event: &Event) -> bool {
    match event {
        Event::ThreadChanged(event) => filter.wants_conversation(event.thread.0.conversation_id),
        _ => true,
    }
}

struct Builder<'a> {
    loaders: &'a Loaders,
    cursor: String,
    occurred_at: DateTime,
}

impl Builder<'_> {
    async fn event(self, change: &Change) -> Result<Option<Event>> {
        match change {
            Change::MessageSent { message } => self.message_sent(*message).await,
            Change::MessageEdited { message } => self.message_edited(*message).await,
            Change::MessageDeleted {
                message,
                conversation,
            } => self.message_deleted(*message, *conversation).await,
            Change::ThreadChanged { thread } => self.thread_changed(*thread).await,
            Change::ConversationJoined { conversation } => self.joined(*conversation).await,
            Change::ConversationChanged { conversation } => self.changed(*conversation).await,
            Change::ConversationLeft { conversation } => Ok(Some(self.left(*conversation))),
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
                let place = (*conversation, *thread);
                self.read_position_changed(place, *user, *up_to).await
            }
            Change::UserChanged { user } => self.user_changed(*user).await,
            Change::NotificationsAdded { to } => match to.get(&self.loaders.viewer()?.user) {
                Some(notification) => self.notification_added(*notification).await,
                None => Ok(None),
            },
            Change::NotificationsChanged { notifications } => {
                self.notifications_changed(notifications.clone()).await
            }
            Change::PresenceChanged { user } => self.presence_changed(*user).await,
            Change::TypingChanged {
                conversation,
                thread,
                user,
                expires_at,
            } => {
                let place = (*conversation, *thread);
                self.typing_changed(place, *user, *expires_at).await
            }
            Change::SessionEnded { .. } => Ok(None),
        }
    }

    async fn message_sent(self, id: MessageId) -> Result<Option<Event>> {
        let message = load_one(self.loaders, MessageKey(id)).await?;
        Ok(message.map(|message| {
            Event::MessageSent(MessageSentEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                message,
            })
        }))
    }

    async fn message_edited(self, id: MessageId) -> Result<Option<Event>> {
        let message = load_one(self.loaders, MessageKey(id)).await?;
        Ok(message.map(|message| {
            Event::MessageEdited(MessageEditedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                message,
            })
        }))
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
        Ok(Some(Event::MessageDeleted(MessageDeletedEvent {
            message: load_one(self.loaders, MessageKey(id)).await?,
            cursor: self.cursor,
            occurred_at: self.occurred_at,
            message_id: id,
            conversation,
        })))
    }

    async fn thread_changed(self, id: ThreadId) -> Result<Option<Event>> {
        let thread = load_one(self.loaders, ThreadKey(id)).await?;
        Ok(thread.map(|thread| {
            Event::ThreadChanged(ThreadChangedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                thread,
            })
        }))
    }

    async fn joined(self, id: ConversationId) -> Result<Option<Event>> {
        let conversation = load_one(self.loaders, ConversationKey(id)).await?;
        Ok(conversation.map(|conversation| {
            Event::ConversationJoined(ConversationJoinedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                conversation,
            })
        }))
    }

    async fn changed(self, id: ConversationId) -> Result<Option<Event>> {
        let conversation = load_one(self.loaders, ConversationKey(id)).await?;
        Ok(conversation.map(|conversation| {
            Event::ConversationChanged(ConversationChangedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                conversation,
            })
        }))
    }

    fn left(self, id: ConversationId) -> Event {
        Event::ConversationLeft(ConversationLeftEvent {
            cursor: self.cursor,
            occurred_at: self.occurred_at,
            conversation_id: id,
        })
    }

    async fn participant_changed(
        self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Event>> {
        let found = load_one(self.loaders, ConversationKey(conversation)).await?;
        let person = load_one(self.loaders, UserKey(user)).await?;
        let (Some(conversation), Some(person)) = (found, person) else {
            return Ok(None);
        };
        let participant = participants::visible(self.loaders.viewer()?)
            .filter(participant::Column::ConversationId.eq(conversation.0.id))
            .filter(participant::Column::UserId.eq(user))
            .one(self.loaders.app().db.read())
            .await?;
        Ok(Some(Event::ParticipantChanged(ParticipantChangedEvent {
            cursor: self.cursor,
            occurred_at: self.occurred_at,
            conversation,
            user: person,
            participant: participant.map(Participant),
        })))
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
            if !receipts::shared_by(db, user, &[conversation])
                .await?
                .contains(&conversation)
            {
                return Ok(None);
            }
        }
        let conversation: Option<Conversation> =
            load_one(self.loaders, ConversationKey(conversation)).await?;
        let user = load_one(self.loaders, UserKey(user)).await?;
        let (Some(conversation), Some(user)) = (conversation, user) else {
            return Ok(None);
        };
        let is_inside = thread.is_some();
        let thread = match thread {
            Some(id) => load_one(self.loaders, ThreadKey(id)).await?,
            None => None,
        };
        let read_up_to = match up_to {
            Some(id) => load_one(self.loaders, MessageKey(id)).await?,
            None => None,
        };
        // Somebody else's place is not shown by what the viewer cannot see.
        let is_hidden = is_inside && thread.is_none() || up_to.is_some() && read_up_to.is_none();
        if !is_own && is_hidden {
            return Ok(None);
        }
        let event = ReadPositionChangedEvent {
            cursor: self.cursor,
            occurred_at: self.occurred_at,
            conversation,
            thread,
            user,
            read_up_to,
        };
        Ok(Some(Event::ReadPositionChanged(Box::new(event))))
    }

    async fn notification_added(self, id: NotificationId) -> Result<Option<Event>> {
        let notification = load_one(self.loaders, NotificationKey(id)).await?;
        Ok(notification.map(|notification| {
            Event::NotificationAdded(NotificationAddedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                notification,
            })
        }))
    }

    async fn notifications_changed(
        self,
        notification_ids: Option<Vec<NotificationId>>,
    ) -> Result<Option<Event>> {
        let unread = UnreadTotals::of(self.loaders.app(), self.loaders.viewer()?).await?;
        Ok(Some(Event::NotificationsChanged(
            NotificationsChangedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                notification_ids,
                unread,
            },
        )))
    }

    async fn presence_changed(self, id: UserId) -> Result<Option<Event>> {
        let user = load_one(self.loaders, UserKey(id)).await?;
        Ok(user.map(|user| {
            Event::PresenceChanged(PresenceChangedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                user,
            })
        }))
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
        let found = load_one(self.loaders, ConversationKey(conversation)).await?;
        let person = load_one(self.loaders, UserKey(user)).await?;
        let (Some(conversation), Some(user)) = (found, person) else {
            return Ok(None);
        };
        let is_inside = thread.is_some();
        let thread = match thread {
            Some(id) => load_one(self.loaders, ThreadKey(id)).await?,
            None => None,
        };
        if is_inside && thread.is_none() {
            return Ok(None);
        }
        Ok(Some(Event::TypingChanged(Box::new(TypingChangedEvent {
            cursor: self.cursor,
            occurred_at: self.occurred_at,
            conversation,
            thread,
            user,
            expires_at: expires_at.map(Into::into),
        }))))
    }

    async fn user_changed(self, id: UserId) -> Result<Option<Event>> {
        let user = load_one(self.loaders, UserKey(id)).await?;
        Ok(user.map(|user| {
            Event::UserChanged(UserChangedEvent {
                cursor: self.cursor,
                occurred_at: self.occurred_at,
                user,
            })
        }))
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
