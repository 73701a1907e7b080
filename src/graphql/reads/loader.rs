//! Questions about what is unread.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use crate::{
    domain::reads::{
        position::{self, Position},
        receipts, unread,
    },
    graphql::{errors::FieldError, loaders::Loaders},
    id::{ConversationId, MessageId, ParticipantId, ThreadId},
};

/// How many root messages of this conversation are unread?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnreadIn(pub ConversationId);

impl Loader<UnreadIn> for Loaders {
    type Value = i64;
    type Error = FieldError;

    async fn load(&self, keys: &[UnreadIn]) -> Result<HashMap<UnreadIn, i64>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let counts = unread::of_conversations(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(keyed(counts, UnreadIn))
    }
}

/// How many unread messages of this conversation mention the viewer?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MentionsIn(pub ConversationId);

impl Loader<MentionsIn> for Loaders {
    type Value = i64;
    type Error = FieldError;

    async fn load(&self, keys: &[MentionsIn]) -> Result<HashMap<MentionsIn, i64>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let counts = unread::mentions(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(keyed(counts, MentionsIn))
    }
}

/// How far did the viewer read this timeline?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PositionIn(pub ConversationId);

impl Loader<PositionIn> for Loaders {
    type Value = Position;
    type Error = FieldError;

    async fn load(&self, keys: &[PositionIn]) -> Result<HashMap<PositionIn, Position>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let db = self.app().db.read();
        let places = position::in_conversations(db, self.viewer()?, &ids).await?;
        Ok(keyed(places, PositionIn))
    }
}

/// Up to which root message has this participant read? There is no answer when they do not share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LastReadBy(pub ParticipantId);

impl Loader<LastReadBy> for Loaders {
    type Value = MessageId;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[LastReadBy],
    ) -> Result<HashMap<LastReadBy, MessageId>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let db = self.app().db.read();
        let found = receipts::of_participants(db, self.viewer()?, &ids).await?;
        Ok(keyed(found, LastReadBy))
    }
}

/// How many replies of this thread are unread?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnreadOf(pub ThreadId);

impl Loader<UnreadOf> for Loaders {
    type Value = i64;
    type Error = FieldError;

    async fn load(&self, keys: &[UnreadOf]) -> Result<HashMap<UnreadOf, i64>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let counts = unread::of_threads(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(keyed(counts, UnreadOf))
    }
}

/// How far did the viewer read this thread?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PositionOf(pub ThreadId);

impl Loader<PositionOf> for Loaders {
    type Value = Position;
    type Error = FieldError;

    async fn load(&self, keys: &[PositionOf]) -> Result<HashMap<PositionOf, Position>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let places = position::in_threads(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(keyed(places, PositionOf))
    }
}

/// Is this message unread? There is no answer when it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IsUnread(pub MessageId);

impl Loader<IsUnread> for Loaders {
    type Value = bool;
    type Error = FieldError;

    async fn load(&self, keys: &[IsUnread]) -> Result<HashMap<IsUnread, bool>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = unread::among(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(found.into_iter().map(|id| (IsUnread(id), true)).collect())
    }
}

fn keyed<I, K, V>(answers: HashMap<I, V>, key: impl Fn(I) -> K) -> HashMap<K, V>
where
    K: Eq + std::hash::Hash,
{
    answers
        .into_iter()
        .map(|(id, value)| (key(id), value))
        .collect()
}
