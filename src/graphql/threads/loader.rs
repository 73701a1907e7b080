//! Questions about threads.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        messages::columns::{Columns, Row},
        page::{Part, Span},
        threads::{
            self, lists,
            people::{self, Writer},
            replies::{self, Listing, Scope},
        },
    },
    entity::thread,
    graphql::{
        batch::{Batch, by_key},
        errors::Refusal,
        messages::{loader::group, types::Message},
        threads::types::Thread,
    },
    id::{ConversationId, ThreadId},
};

/// Which thread has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadKey(pub ThreadId);

impl Loader<ThreadKey> for Batch {
    type Value = Thread;
    type Error = Refusal;

    async fn load(&self, keys: &[ThreadKey]) -> Result<HashMap<ThreadKey, Thread>, Refusal> {
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
    pub listing: Listing,
    /// What of them is read.
    pub columns: Columns,
}

impl Loader<ThreadRepliesOf> for Batch {
    type Value = Part<Row>;
    type Error = Refusal;

    async fn load(
        &self,
        keys: &[ThreadRepliesOf],
    ) -> Result<HashMap<ThreadRepliesOf, Self::Value>, Refusal> {
        if let Some(kept) = self.kept_replies(keys) {
            return Ok(HashMap::from([kept]));
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
    pub span: Span<lists::Place>,
}

impl Loader<ThreadsOf> for Batch {
    type Value = Part<thread::Model>;
    type Error = Refusal;

    async fn load(&self, keys: &[ThreadsOf]) -> Result<HashMap<ThreadsOf, Self::Value>, Refusal> {
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
    pub span: Span<i32>,
}

impl Loader<WritersOf> for Batch {
    type Value = Part<Writer>;
    type Error = Refusal;

    async fn load(&self, keys: &[WritersOf]) -> Result<HashMap<WritersOf, Part<Writer>>, Refusal> {
        let mut found = HashMap::new();
        for (span, threads) in group(keys, |key| (key.span.clone(), key.thread)) {
            let db = self.app().db.read();
            let writers = people::writers(db, self.viewer()?, &threads, &span).await?;
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

impl Loader<LastReplyOf> for Batch {
    type Value = Message;
    type Error = Refusal;

    async fn load(&self, keys: &[LastReplyOf]) -> Result<HashMap<LastReplyOf, Message>, Refusal> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = people::last_replies(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|(thread, row)| (LastReplyOf(thread), Message(row)))
            .collect())
    }
}

/// Does the viewer follow this thread?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IsFollowing(pub ThreadId);

impl Loader<IsFollowing> for Batch {
    type Value = bool;
    type Error = Refusal;

    async fn load(&self, keys: &[IsFollowing]) -> Result<HashMap<IsFollowing, bool>, Refusal> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let followed = people::followed(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(followed
            .into_iter()
            .map(|thread| (IsFollowing(thread), true))
            .collect())
    }
}
