//! Loaders of threads.

use crate::{
    domain::{
        messages::projection::MessageProjection,
        pagination::{PageRequest, Slice},
        threads::{
            self,
            followers::{self, Writer},
            lists,
            replies::{self, ReplyOrder, ReplyScope, ReplySlice},
        },
    },
    entity::thread,
    graphql::{
        loaders::{Loaders, by_id, loader, pages},
        messages::types::Message,
        threads::types::Thread,
    },
    id::{ConversationId, ThreadId},
};

by_id!(
    /// Loads the thread with this id.
    ThreadKey(ThreadId) -> Thread = Thread,
    thread::Column::Id, |app, viewer| threads::visible(viewer)
);

pages!(
    /// Loads a page of the replies of this thread.
    ThreadRepliesOf<P: MessageProjection> {
        /// Which thread.
        thread: ThreadId,
        /// Which part of the tree.
        scope: ReplyScope,
        /// The order and the page.
        order: ReplyOrder,
        /// What of each message.
        projection: P,
    } -> ReplySlice<P>,
    |app, viewer, ids| {
        replies::pages(app.db.read(), viewer, ids, (scope, order), projection).await?
    }
);

impl ThreadRepliesOf<()> {
    /// The same page, with what to load of each message.
    pub fn select<P>(self, projection: P) -> ThreadRepliesOf<P> {
        ThreadRepliesOf {
            thread: self.thread,
            scope: self.scope,
            order: self.order,
            projection,
        }
    }
}

pages!(
    /// Loads a page of the threads of this conversation, most recently active first.
    ThreadsOf {
        /// The conversation.
        conversation: ConversationId,
        /// Which page.
        span: PageRequest<lists::ThreadPosition>,
    } -> Slice<thread::Model>,
    |app, viewer, ids| lists::of_conversations(app.db.read(), viewer, ids, span).await?
);

pages!(
    /// Loads a page of the users who wrote in this thread, by the sequence of their last reply.
    WritersOf {
        /// The thread.
        thread: ThreadId,
        /// Which page.
        span: PageRequest<i32>,
    } -> Slice<Writer>,
    |app, viewer, ids| followers::writers(app.db.read(), viewer, ids, span).await?
);

loader!(
    /// Loads the newest reply of this thread.
    LastReplyOf(ThreadId) -> Message,
    |app, viewer, ids| {
        let rows = followers::last_replies(app.db.read(), viewer, ids).await?;
        rows.into_iter().map(|(thread, row)| (thread, row.into()))
    }
);

loader!(
    /// Loads whether the viewer follows this thread; absent otherwise.
    IsFollowing(ThreadId) -> bool,
    |app, viewer, ids| {
        let followed = followers::followed(app.db.read(), viewer, ids).await?;
        followed.into_iter().map(|thread| (thread, true))
    }
);
