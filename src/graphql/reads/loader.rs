//! Loaders of read positions and unread counts.

use crate::{
    domain::reads::{
        position::{self, Position},
        receipts, unread,
    },
    graphql::loaders::{Loaders, loader},
    id::{ConversationId, MessageId, ParticipantId, ThreadId},
};

loader!(
    /// Loads the number of unread root messages in this conversation.
    UnreadIn(ConversationId) -> i64,
    |app, viewer, ids| unread::of_conversations(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the number of unread messages in this conversation that mention the viewer.
    MentionsIn(ConversationId) -> i64,
    |app, viewer, ids| unread::mentions(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the viewer's read position in the timeline of this conversation.
    PositionIn(ConversationId) -> Position,
    |app, viewer, ids| position::in_conversations(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the last root message that this participant has read; absent when they do not share it.
    LastReadBy(ParticipantId) -> MessageId,
    |app, viewer, ids| receipts::of_participants(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the number of unread replies in this thread.
    UnreadOf(ThreadId) -> i64,
    |app, viewer, ids| unread::of_threads(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the viewer's read position in this thread.
    PositionOf(ThreadId) -> Position,
    |app, viewer, ids| position::in_threads(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads whether this message is unread; absent otherwise.
    IsUnread(MessageId) -> bool,
    |app, viewer, ids| {
        let unread = unread::among(app.db.read(), viewer, ids).await?;
        unread.into_iter().map(|message| (message, true))
    }
);
