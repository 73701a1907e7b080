//! Loaders of messages and their revisions.

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
