//! Questions about threads.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        messages::projection::{Columns, Row},
        pagination::{PageRequest, Slice},
        threads::{
            self,
            followers::{self, Writer},
            lists,
            replies::{self, ReplyOrder, Scope},
        },
    },
    entity::thread,
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_key},
        messages::{loader::group, types::Message},
        threads::types::Thread,
    },
    id::{ConversationId, ThreadId},
};

/// Which thread has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadKey(pub ThreadId);

impl Loader<ThreadKey> for Loaders {
    type Value = Thread;
    type Error = FieldError;

    async fn load(&self, keys: &[ThreadKey]) -> Result<HashMap<ThreadKey, Thread>, FieldError> {
        let found = threads::visible(self.viewer()?)
            .filter(thread::Column::Id.is_in(keys.iter().map(|key| key.0)))
            .all(self.app().db.read());
        Ok(by_key(found.await?, |row| ThreadKey(row.id), Thread))
    }
}

/// Which replies stand in this part of the thread?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThreadRepliesOf {
    /// Which thread.
    pub thread: ThreadId,
    /// Where in it.
    pub scope: Scope,
    /// In which order, and which part.
    pub listing: ReplyOrder,
    /// What of them is read.
    pub columns: Columns,
}

impl Loader<ThreadRepliesOf> for Loaders {
    type Value = Slice<Row>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ThreadRepliesOf],
    ) -> Result<HashMap<ThreadRepliesOf, Self::Value>, FieldError> {
        if let Some(prefetched) = self.take(keys) {
            return Ok(HashMap::from([prefetched]));
        }
        let mut found = HashMap::new();
        let alike = group(keys, |key| {
            let alike = (key.scope.clone(), key.listing.clone(), key.columns.clone());
            (alike, key.thread)
        });
        for ((scope, listing, columns), threads) in alike {
            let (db, viewer) = (self.app().db.read(), self.viewer()?);
            let pages = replies::pages(db, viewer, &threads, &scope, &listing, &columns);
            found.extend(pages.await?.into_iter().map(|(thread, part)| {
                let key = ThreadRepliesOf {
                    thread,
                    scope: scope.clone(),
                    listing: listing.clone(),
                    columns: columns.clone(),
                };
                (key, part)
            }));
        }
        Ok(found)
    }
}

/// Which threads of this conversation were active most recently?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThreadsOf {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Which part.
    pub span: PageRequest<lists::Place>,
}

impl Loader<ThreadsOf> for Loaders {
    type Value = Slice<thread::Model>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ThreadsOf],
    ) -> Result<HashMap<ThreadsOf, Self::Value>, FieldError> {
        let mut found = HashMap::new();
        for (span, ids) in group(keys, |key| (key.span.clone(), key.conversation)) {
            let db = self.app().db.read();
            let pages = lists::of_conversations(db, self.viewer()?, &ids, &span).await?;
            found.extend(pages.into_iter().map(|(conversation, part)| {
                (
                    ThreadsOf {
                        conversation,
                        span: span.clone(),
                    },
                    part,
                )
            }));
        }
        Ok(found)
    }
}

/// Who wrote in this thread?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WritersOf {
    /// Which thread.
    pub thread: ThreadId,
    /// Which part, by the place of what they wrote last.
    pub span: PageRequest<i32>,
}

impl Loader<WritersOf> for Loaders {
    type Value = Slice<Writer>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[WritersOf],
    ) -> Result<HashMap<WritersOf, Slice<Writer>>, FieldError> {
        let mut found = HashMap::new();
        for (span, threads) in group(keys, |key| (key.span.clone(), key.thread)) {
            let db = self.app().db.read();
            let writers = followers::writers(db, self.viewer()?, &threads, &span).await?;
            found.extend(writers.into_iter().map(|(thread, part)| {
                (
                    WritersOf {
                        thread,
                        span: span.clone(),
                    },
                    part,
                )
            }));
        }
        Ok(found)
    }
}

/// Which reply of this thread is the newest?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LastReplyOf(pub ThreadId);

impl Loader<LastReplyOf> for Loaders {
    type Value = Message;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[LastReplyOf],
    ) -> Result<HashMap<LastReplyOf, Message>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = followers::last_replies(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|(thread, row)| (LastReplyOf(thread), Message(row)))
            .collect())
    }
}

/// Does the viewer follow this thread?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IsFollowing(pub ThreadId);

impl Loader<IsFollowing> for Loaders {
    type Value = bool;
    type Error = FieldError;

    async fn load(&self, keys: &[IsFollowing]) -> Result<HashMap<IsFollowing, bool>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let followed = followers::followed(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(followed
            .into_iter()
            .map(|thread| (IsFollowing(thread), true))
            .collect())
    }
}
