//! Questions about messages.

use std::{collections::HashMap, hash::Hash};

use async_graphql::{Context, dataloader::Loader};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::{
        messages::{
            self,
            columns::{Columns, Row},
            history, timeline,
        },
        page::{End, Part, Span},
        threads::replies,
    },
    entity::{message, message_revision},
    graphql::{
        batch::{Batch, by_key},
        context::batch,
        errors::{self, Refusal},
        messages::types::{Message, MessageRevision},
    },
    id::{ConversationId, MessageId, RevisionId, UserId},
};

/// Which message has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey(pub MessageId);

impl Loader<MessageKey> for Batch {
    type Value = Message;
    type Error = Refusal;

    async fn load(&self, keys: &[MessageKey]) -> Result<HashMap<MessageKey, Message>, Refusal> {
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
        Some(id) => batch(ctx).load_one(MessageKey(id)).await,
        None => Ok(None),
    }
}

/// Which messages stand in this part of the timeline?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimelineOf {
    /// Whose timeline.
    pub conversation: ConversationId,
    /// Which part.
    pub span: Span<i32>,
    /// Whether replies stand in it too.
    pub include_replies: bool,
    /// What of them is read.
    pub columns: Columns,
}

impl Loader<TimelineOf> for Batch {
    type Value = Part<Row>;
    type Error = Refusal;

    async fn load(&self, keys: &[TimelineOf]) -> Result<HashMap<TimelineOf, Self::Value>, Refusal> {
        if let Some(kept) = self.kept_timeline(keys) {
            return Ok(HashMap::from([kept]));
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
        let span = Span {
            after: None,
            before: None,
            end: End::Last,
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
    pub span: Span<i32>,
}

impl Loader<RepliesOf> for Batch {
    type Value = Part<message::Model>;
    type Error = Refusal;

    async fn load(&self, keys: &[RepliesOf]) -> Result<HashMap<RepliesOf, Self::Value>, Refusal> {
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
    pub span: Span<i32>,
}

impl Loader<RevisionsOf> for Batch {
    type Value = Part<message_revision::Model>;
    type Error = Refusal;

    async fn load(
        &self,
        keys: &[RevisionsOf],
    ) -> Result<HashMap<RevisionsOf, Self::Value>, Refusal> {
        let mut found = HashMap::new();
        for (span, messages) in group(keys, |key| (key.span.clone(), key.message)) {
            let db = self.app().db.read();
            let pages = history::revisions(db, self.viewer()?, &messages, &span).await?;
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

impl Loader<RevisionKey> for Batch {
    type Value = MessageRevision;
    type Error = Refusal;

    async fn load(
        &self,
        keys: &[RevisionKey],
    ) -> Result<HashMap<RevisionKey, MessageRevision>, Refusal> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = history::by_id(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(by_key(rows, |row| RevisionKey(row.id), MessageRevision))
    }
}

/// Whom does this message mention?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MentionsOf(pub MessageId);

impl Loader<MentionsOf> for Batch {
    type Value = Vec<UserId>;
    type Error = Refusal;

    async fn load(&self, keys: &[MentionsOf]) -> Result<HashMap<MentionsOf, Vec<UserId>>, Refusal> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let people = history::mentioned(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(people
            .into_iter()
            .map(|(message, people)| (MentionsOf(message), people))
            .collect())
    }
}

/// Does this message mention the viewer?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MentionsViewer(pub MessageId);

impl Loader<MentionsViewer> for Batch {
    type Value = bool;
    type Error = Refusal;

    async fn load(
        &self,
        keys: &[MentionsViewer],
    ) -> Result<HashMap<MentionsViewer, bool>, Refusal> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = history::mentioning(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|message| (MentionsViewer(message), true))
            .collect())
    }
}

/// Which two people talk in this conversation, if it is a direct one of two?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairIn(pub ConversationId);

impl Loader<PairIn> for Batch {
    type Value = Vec<UserId>;
    type Error = Refusal;

    async fn load(&self, keys: &[PairIn]) -> Result<HashMap<PairIn, Vec<UserId>>, Refusal> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let pairs = history::pairs(self.app().db.read(), self.viewer()?, &ids).await?;
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
