//! Questions about the people of conversations.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::participants::{self, Listed, Names, ParticipantCounts, Place},
    entity::participant::{self, ParticipantRole},
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_key},
    },
    id::{ConversationId, ParticipantId},
};

/// Which membership has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParticipantKey(pub ParticipantId);

impl Loader<ParticipantKey> for Loaders {
    type Value = participant::Model;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ParticipantKey],
    ) -> Result<HashMap<ParticipantKey, participant::Model>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let found = participants::visible(self.viewer()?)
            .filter(participant::Column::Id.is_in(ids))
            .all(self.app().db.read());
        Ok(by_key(
            found.await?,
            |row| ParticipantKey(row.id),
            |row| row,
        ))
    }
}

/// What is the viewer in this conversation?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MembershipOf(pub ConversationId);

impl Loader<MembershipOf> for Loaders {
    type Value = participant::Model;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[MembershipOf],
    ) -> Result<HashMap<MembershipOf, participant::Model>, FieldError> {
        let viewer = self.viewer()?;
        let ids = keys.iter().map(|key| key.0);
        let found = participants::own(viewer)
            .filter(participant::Column::ConversationId.is_in(ids))
            .all(self.app().db.read());
        let key = |row: &participant::Model| MembershipOf(row.conversation_id);
        Ok(by_key(found.await?, key, |row| row))
    }
}

/// How many people take part in this conversation?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeadsOf(pub ConversationId);

impl Loader<HeadsOf> for Loaders {
    type Value = ParticipantCounts;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[HeadsOf],
    ) -> Result<HashMap<HeadsOf, ParticipantCounts>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = participants::heads(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, heads)| (HeadsOf(id), heads))
            .collect())
    }
}

/// Which names stand for this conversation?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NamesOf(pub ConversationId);

impl Loader<NamesOf> for Loaders {
    type Value = Names;
    type Error = FieldError;

    async fn load(&self, keys: &[NamesOf]) -> Result<HashMap<NamesOf, Names>, FieldError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = participants::names(self.app().db.read(), self.viewer()?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, names)| (NamesOf(id), names))
            .collect())
    }
}

/// Which page of participants is asked for, of whatever conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Only this role.
    pub role: Option<ParticipantRole>,
    /// From after here.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u64,
}

/// Who takes part in this conversation?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParticipantsOf(pub ConversationId, pub Wanted);

impl Loader<ParticipantsOf> for Loaders {
    type Value = Vec<Listed>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ParticipantsOf],
    ) -> Result<HashMap<ParticipantsOf, Vec<Listed>>, FieldError> {
        // One field of a list asks the same page of every conversation: one statement.
        let mut questions: HashMap<&Wanted, Vec<ConversationId>> = HashMap::new();
        for ParticipantsOf(conversation, wanted) in keys {
            questions.entry(wanted).or_default().push(*conversation);
        }
        let (db, viewer) = (self.app().db.read(), self.viewer()?);
        let mut answers = HashMap::with_capacity(keys.len());
        for (wanted, ids) in questions {
            let Wanted { role, after, limit } = wanted;
            let pages = participants::pages(db, viewer, &ids, *role, after.as_ref(), *limit);
            let pages = pages.await?.into_iter();
            answers.extend(pages.map(|(id, page)| (ParticipantsOf(id, wanted.clone()), page)));
        }
        Ok(answers)
    }
}
