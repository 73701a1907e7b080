//! Loaders of messages and their revisions.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        conversations::timeline::{self, TimelineSlice},
        messages::{
            self,
            deep_replies::{self, Branch},
            projection::{MessageProjection, WholeMessages},
            revisions,
        },
        pagination::{Direction, PageRequest, Slice},
        threads::replies,
    },
    entity::{message, message_revision},
    graphql::{
        errors::FieldError,
        loaders::{Loaders, loader, pages},
        messages::types::{Message, MessageRevision},
    },
    id::{ConversationId, MessageId, RevisionId, UserId},
};

loader!(
    /// Loads the message with this id.
    MessageKey(MessageId) -> Message,
    |app, viewer, ids| {
        let ids = message::Column::Id.is_in(ids.iter().copied());
        let rows = messages::visible(viewer).filter(ids).all(app.db.read()).await?;
        let shown = rows.into_iter().filter(message::Model::is_shown);
        shown.map(|row| (row.id, Message::from(row)))
    }
);

pages!(
    /// Loads a page of the timeline of this conversation.
    TimelineOf<P: MessageProjection> {
        /// Whose timeline.
        conversation: ConversationId,
        /// Which page.
        span: PageRequest<i32>,
        /// Whether the timeline includes replies.
        include_replies: bool,
        /// What of each message.
        projection: P,
    } -> TimelineSlice<P>,
    |app, viewer, ids| {
        timeline::pages(app.db.read(), viewer, ids, span, *include_replies, projection).await?
    }
);

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
    RepliesOf {
        /// The message.
        parent: MessageId,
        /// Which page.
        span: PageRequest<i32>,
    } -> Slice<message::Model>,
    |app, viewer, ids| replies::direct(app.db.read(), viewer, ids, span).await?
);

pages!(
    /// Loads a page of the earlier texts of this message.
    RevisionsOf {
        /// The message.
        message: MessageId,
        /// Which page.
        span: PageRequest<i32>,
    } -> Slice<message_revision::Model>,
    |app, viewer, ids| revisions::revisions(app.db.read(), viewer, ids, span).await?
);

loader!(
    /// Loads the earlier text with this id.
    RevisionKey(RevisionId) -> MessageRevision,
    |app, viewer, ids| {
        let rows = revisions::by_id(app.db.read(), viewer, ids).await?;
        rows.into_iter().map(|row| (row.id, MessageRevision(row)))
    }
);

/// Loads the number of descendants of a deep reply; absent if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DescendantsOf {
    id: MessageId,
    branch: Branch,
}

impl DescendantsOf {
    /// The key of this message; none if its row contains the number.
    #[must_use]
    pub fn of(
        id: MessageId,
        conversation: ConversationId,
        branch_seq: Option<i32>,
        stored: i32,
    ) -> Option<Self> {
        let branch = (conversation, branch_seq.filter(|_| stored > 0)?);
        Some(Self { id, branch })
    }
}

impl Loader<DescendantsOf> for Loaders {
    type Value = i32;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[DescendantsOf],
    ) -> Result<HashMap<DescendantsOf, i32>, FieldError> {
        let branches = keys.iter().map(|key| key.branch).collect();
        let found = deep_replies::descendants(self.app().db.read(), &branches).await?;
        let count = |key: &DescendantsOf| Some((*key, *found.get(&key.id)?));
        Ok(keys.iter().filter_map(count).collect())
    }
}

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
