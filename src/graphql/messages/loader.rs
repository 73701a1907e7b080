//! Loaders of messages and their revisions.

use std::collections::HashMap;

use async_graphql::{Context, dataloader::Loader};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        conversations::timeline::{self, TimelineSlice},
        messages::{
            self,
            projection::{MessageProjection, WholeMessages},
            revisions,
        },
        pagination::{Direction, PageRequest, Slice},
        threads::replies,
    },
    entity::{message, message_revision},
    graphql::{
        context::loaders,
        errors::{self, FieldError},
        loaders::{Loaders, group, loader, pages},
        messages::types::{Message, MessageRevision},
    },
    id::{ConversationId, MessageId, RevisionId, UserId},
};

/// Loads the message with this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey(pub MessageId);

impl Loader<MessageKey> for Loaders {
    type Value = Message;
    type Error = FieldError;

    async fn load(&self, keys: &[MessageKey]) -> Result<HashMap<MessageKey, Message>, FieldError> {
        let rows = messages::visible(self.viewer()?)
            .filter(message::Column::Id.is_in(keys.iter().map(|key| key.0)))
            .all(self.app().db.read())
            .await?;
        let shown = rows.into_iter().filter(message::Model::is_shown);
        Ok(shown.map(|row| (MessageKey(row.id), row.into())).collect())
    }
}

/// Loads the message with an optional id, if the viewer sees it.
pub(crate) async fn message(
    ctx: &Context<'_>,
    id: Option<MessageId>,
) -> errors::Result<Option<Message>> {
    match id {
        Some(id) => loaders(ctx).load_one(MessageKey(id)).await,
        None => Ok(None),
    }
}

/// Loads a page of the timeline of this conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimelineOf<P> {
    /// Whose timeline.
    pub conversation: ConversationId,
    /// Which page.
    pub span: PageRequest<i32>,
    /// Whether the timeline includes replies.
    pub include_replies: bool,
    /// What of each message.
    pub projection: P,
}

impl<P: MessageProjection> Loader<TimelineOf<P>> for Loaders {
    type Value = TimelineSlice<P>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[TimelineOf<P>],
    ) -> Result<HashMap<TimelineOf<P>, Self::Value>, FieldError> {
        if let Some(prefetched) = self.take(keys) {
            return Ok(HashMap::from([prefetched]));
        }
        let mut found = HashMap::new();
        let groups = group(keys, |key| {
            let common = (
                key.span.clone(),
                key.include_replies,
                key.projection.clone(),
            );
            (common, key.conversation)
        });
        for ((span, include_replies, projection), ids) in groups {
            let (db, viewer) = (self.app().db.read(), self.viewer()?);
            let pages = timeline::pages(db, viewer, &ids, &span, include_replies, &projection);
            found.extend(pages.await?.into_iter().map(|(conversation, part)| {
                let key = TimelineOf {
                    conversation,
                    span: span.clone(),
                    include_replies,
                    projection: projection.clone(),
                };
                (key, part)
            }));
        }
        Ok(found)
    }
}

impl TimelineOf<()> {
    /// The same page, with what to load of each message.
    pub fn select<P>(self, projection: P) -> TimelineOf<P> {
        TimelineOf {
            conversation: self.conversation,
            span: self.span,
            include_replies: self.include_replies,
            projection,
        }
    }
}

impl TimelineOf<WholeMessages> {
    /// The page with only the newest root message.
    #[must_use]
    pub fn newest(conversation: ConversationId) -> Self {
        Self {
            conversation,
            span: PageRequest::end(Direction::Last, 1),
            include_replies: false,
            projection: WholeMessages,
        }
    }
}

pages!(
    /// Loads a page of the direct replies to this message.
    RepliesOf { parent: MessageId, span: PageRequest<i32> } -> Slice<message::Model>,
    |app, viewer, ids, span| replies::direct(app.db.read(), viewer, ids, span).await?
);

pages!(
    /// Loads a page of the earlier texts of this message.
    RevisionsOf { message: MessageId, span: PageRequest<i32> } -> Slice<message_revision::Model>,
    |app, viewer, ids, span| revisions::revisions(app.db.read(), viewer, ids, span).await?
);

loader!(
    /// Loads the earlier text with this id.
    RevisionKey(RevisionId) -> MessageRevision,
    |app, viewer, ids| {
        let rows = revisions::by_id(app.db.read(), viewer, ids).await?;
        rows.into_iter().map(|row| (row.id, MessageRevision(row)))
    }
);

loader!(
    /// Loads the users that this message mentions.
    MentionsOf(MessageId) -> Vec<UserId>,
    |app, viewer, ids| revisions::mentioned(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads whether this message mentions the viewer; absent otherwise.
    MentionsViewer(MessageId) -> bool,
    |app, viewer, ids| {
        let mentioning = revisions::mentioning(app.db.read(), viewer, ids).await?;
        mentioning.into_iter().map(|message| (message, true))
    }
);

loader!(
    /// Loads the two participants of this conversation, if it is a direct one of two.
    PairIn(ConversationId) -> Vec<UserId>,
    |app, viewer, ids| revisions::pairs(app.db.read(), viewer, ids).await?
);
