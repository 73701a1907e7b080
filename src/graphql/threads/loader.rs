//! Loaders of threads.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

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
        errors::FieldError,
        loaders::{Loaders, by_id, group, loader, pages},
        messages::types::Message,
        threads::types::Thread,
    },
    id::{ConversationId, ThreadId},
};

by_id!(
    /// Loads the thread with this id.
    ThreadKey(ThreadId) -> Thread = Thread,
    thread::Column::Id, |loaders| threads::visible(loaders.viewer()?)
);

/// Loads a page of the replies of this thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThreadRepliesOf<P> {
    /// Which thread.
    pub thread: ThreadId,
    /// Which part of the tree.
    pub scope: ReplyScope,
    /// The order and the page.
    pub order: ReplyOrder,
    /// What of each message.
    pub projection: P,
}

impl<P: MessageProjection> Loader<ThreadRepliesOf<P>> for Loaders {
    type Value = ReplySlice<P>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ThreadRepliesOf<P>],
    ) -> Result<HashMap<ThreadRepliesOf<P>, Self::Value>, FieldError> {
        if let Some(prefetched) = self.take(keys) {
            return Ok(HashMap::from([prefetched]));
        }
        let mut found = HashMap::new();
        let groups = group(keys, |key| {
            let common = (key.scope.clone(), key.order.clone(), key.projection.clone());
            (common, key.thread)
        });
        for ((scope, order, projection), threads) in groups {
            let (db, viewer) = (self.app().db.read(), self.viewer()?);
            let pages = replies::pages(db, viewer, &threads, (&scope, &order), &projection);
            found.extend(pages.await?.into_iter().map(|(thread, part)| {
                let key = ThreadRepliesOf {
                    thread,
                    scope: scope.clone(),
                    order: order.clone(),
                    projection: projection.clone(),
                };
                (key, part)
            }));
        }
        Ok(found)
    }
}

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
    ThreadsOf { conversation: ConversationId, span: PageRequest<lists::ThreadPosition> }
        -> Slice<thread::Model>,
    |app, viewer, ids, span| lists::of_conversations(app.db.read(), viewer, ids, span).await?
);

pages!(
    /// Loads a page of the users who wrote in this thread, by the sequence of their last reply.
    WritersOf { thread: ThreadId, span: PageRequest<i32> } -> Slice<Writer>,
    |app, viewer, ids, span| followers::writers(app.db.read(), viewer, ids, span).await?
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
