//! Questions about messages.

use std::{collections::HashMap, hash::Hash};

use async_graphql::{Context, dataloader::Loader};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        conversations::timeline,
        messages::{
            self,
            projection::{Columns, Row},
            revisions,
        },
        pagination::{Direction, PageRequest, Slice},
        threads::replies,
    },
    entity::{message, message_revision},
    graphql::{
        context::loaders,
        errors::{self, FieldError},
        loaders::{Loaders, by_key},
        messages::types::{Message, MessageRevision},
    },
    id::{ConversationId, MessageId, RevisionId, UserId},
};

/// Which message has this id?
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
        Ok(shown
            .map(|row| (MessageKey(row.id), Message(row)))
            .collect())
    }
}

/// A message that something points to, if the viewer sees it.
pub(crate) async fn message(
    ctx: &Context<'_>,
    id: Option<MessageId>,
) -> errors::Result<Option<Message>> {
    match id {
        Some(id) => loaders(ctx).load_one(MessageKey(id)).await,
        None => Ok(None),
    }
}

/// Which messages stand in this part of the timeline?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimelineOf {
    /// Whose timeline.
    pub conversation: ConversationId,
    /// Which part.
    pub span: PageRequest<i32>,
    /// Whether replies stand in it too.
    pub include_replies: bool,
    /// What of them is read.
    pub columns: Columns,
}

impl Loader<TimelineOf> for Loaders {
    type Value = Slice<Row>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[TimelineOf],
    ) -> Result<HashMap<TimelineOf, Self::Value>, FieldError> {
        if let Some(prefetched) = self.take(keys) {
            return Ok(HashMap::from([prefetched]));
        }
        let mut found = HashMap::new();
        let alike = group(keys, |key| {
            let alike = (key.span.clone(), key.include_replies, key.columns.clone());
            (alike, key.conversation)
        });
        for ((span, include_replies, columns), ids) in alike {
            let (db, viewer) = (self.app().db.read(), self.viewer()?);
            let pages = timeline::pages(db, viewer, &ids, &span, include_replies, &columns);
            found.extend(pages.await?.into_iter().map(|(conversation, part)| {
                let key = TimelineOf {
                    conversation,
                    span: span.clone(),
                    include_replies,
                    columns: columns.clone(),
                };
                (key, part)
            }));
        }
        Ok(found)
    }
}

impl TimelineOf {
    /// Only the newest root message.
    #[must_use]
    pub fn newest(conversation: ConversationId) -> Self {
        let span = PageRequest {
            after: None,
            before: None,
            end: Direction::Last,
            size: 1,
        };
        Self {
            conversation,
            span,
            include_replies: false,
            columns: Columns::all(),
        }
    }
}

/// Which messages answer this one directly?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepliesOf {
    /// The message being answered.
    pub parent: MessageId,
    /// Which part, by place.
    pub span: PageRequest<i32>,
}

impl Loader<RepliesOf> for Loaders {
    type Value = Slice<message::Model>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[RepliesOf],
    ) -> Result<HashMap<RepliesOf, Self::Value>, FieldError> {
        let mut found = HashMap::new();
        for (span, parents) in group(keys, |key| (key.span.clone(), key.parent)) {
            let db = self.app().db.read();
            let pages = replies::direct(db, self.viewer()?, &parents, &span).await?;
            found.extend(pages.into_iter().map(|(parent, part)| {
                (
                    RepliesOf {
                        parent,
                        span: span.clone(),
                    },
                    part,
                )
            }));
        }
        Ok(found)
    }
}

/// Which texts did this message have before?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RevisionsOf {
    /// The message.
    pub message: MessageId,
    /// Which part, by number.
    pub span: PageRequest<i32>,
}

impl Loader<RevisionsOf> for Loaders {
    type Value = Slice<message_revision::Model>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[RevisionsOf],
    ) -> Result<HashMap<RevisionsOf, Self::Value>, FieldError> {
        let mut found = HashMap::new();
        for (span, messages) in group(keys, |key| (key.span.clone(), key.message)) {
            let db = self.app().db.read();
            let pages = revisions::revisions(db, self.viewer()?, &messages, &span).await?;
            found.extend(pages.into_iter().map(|(message, part)| {
                (
                    RevisionsOf {
                        message,
                        span: span.clone(),
                    },
                    part,
                )
            }));
        }
        Ok(found)
    }
}

/// Which earlier text has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RevisionKey(pub RevisionId);

impl Loader<RevisionKey> for Loaders {
    type Value = MessageRevision;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[RevisionKey],
    ) -> Result<HashMap<RevisionKey, MessageRevision>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = revisions::by_id(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(by_key(rows, |row| RevisionKey(row.id), MessageRevision))
    }
}

/// Whom does this message mention?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MentionsOf(pub MessageId);

impl Loader<MentionsOf> for Loaders {
    type Value = Vec<UserId>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[MentionsOf],
    ) -> Result<HashMap<MentionsOf, Vec<UserId>>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let people = revisions::mentioned(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(people
            .into_iter()
            .map(|(message, people)| (MentionsOf(message), people))
            .collect())
    }
}

/// Does this message mention the viewer?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MentionsViewer(pub MessageId);

impl Loader<MentionsViewer> for Loaders {
    type Value = bool;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[MentionsViewer],
    ) -> Result<HashMap<MentionsViewer, bool>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = revisions::mentioning(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|message| (MentionsViewer(message), true))
            .collect())
    }
}

/// Which two people talk in this conversation, if it is a direct one of two?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairIn(pub ConversationId);

impl Loader<PairIn> for Loaders {
    type Value = Vec<UserId>;
    type Error = FieldError;

    async fn load(&self, keys: &[PairIn]) -> Result<HashMap<PairIn, Vec<UserId>>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let pairs = revisions::pairs(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(pairs
            .into_iter()
            .map(|(id, pair)| (PairIn(id), pair))
            .collect())
    }
}

/// Keys that ask alike, so that each kind of question is one statement.
pub(crate) fn group<K, G: Eq + Hash, V>(
    keys: &[K],
    split: impl Fn(&K) -> (G, V),
) -> HashMap<G, Vec<V>> {
    let mut groups: HashMap<G, Vec<V>> = HashMap::new();
    for (alike, value) in keys.iter().map(split) {
        groups.entry(alike).or_default().push(value);
    }
    groups
}
