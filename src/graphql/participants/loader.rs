//! Loaders of participants.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::participants::{
        self, ListedParticipant, ParticipantCounts, ParticipantCursor, ParticipantNames,
    },
    entity::participant::{self, ParticipantRole},
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_id, by_key, group, loader},
    },
    id::{ConversationId, ParticipantId},
};

by_id!(
    /// Loads the participant with this id.
    ParticipantKey(ParticipantId) -> participant::Model = |row| row,
    participant::Column::Id, |loaders| participants::visible(loaders.viewer()?)
);

/// Loads the viewer's participant row in this conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MembershipOf(pub ConversationId);

impl Loader<MembershipOf> for Loaders {
    type Value = participant::Model;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[MembershipOf],
    ) -> Result<HashMap<MembershipOf, participant::Model>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let found = participants::own(self.viewer()?)
            .filter(participant::Column::ConversationId.is_in(ids))
            .all(self.app().db.read());
        let key = |row: &participant::Model| MembershipOf(row.conversation_id);
        Ok(by_key(found.await?, key, |row| row))
    }
}

loader!(
    /// Loads how many participants and owners this conversation has.
    CountsOf(ConversationId) -> ParticipantCounts,
    |app, viewer, ids| participants::counts(app.db.read(), viewer, ids).await?
);

loader!(
    /// Loads the names that an untitled conversation is shown with.
    NamesOf(ConversationId) -> ParticipantNames,
    |app, viewer, ids| participants::names(app.db.read(), viewer, ids).await?
);

/// A page of participants, of any conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParticipantPage {
    /// Only participants with this role.
    pub role: Option<ParticipantRole>,
    /// The position before the page.
    pub after: Option<ParticipantCursor>,
    /// The largest number of participants.
    pub limit: u64,
}

/// Loads a page of the participants of this conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParticipantsOf(pub ConversationId, pub ParticipantPage);

impl Loader<ParticipantsOf> for Loaders {
    type Value = Vec<ListedParticipant>;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ParticipantsOf],
    ) -> Result<HashMap<ParticipantsOf, Vec<ListedParticipant>>, FieldError> {
        let (db, viewer) = (self.app().db.read(), self.viewer()?);
        let mut loaded = HashMap::with_capacity(keys.len());
        for (page, ids) in group(keys, |key| (key.1.clone(), key.0)) {
            let (role, after) = (page.role, page.after.as_ref());
            let lists = participants::pages(db, viewer, &ids, role, after, page.limit);
            let lists = lists.await?.into_iter();
            loaded.extend(lists.map(|(id, list)| (ParticipantsOf(id, page.clone()), list)));
        }
        Ok(loaded)
    }
}
