//! Questions about conversations.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::conversations,
    entity::conversation,
    graphql::{
        conversations::types::Conversation,
        errors::FieldError,
        loaders::{Loaders, by_key},
    },
    id::{ConversationId, UserId},
};

/// Which conversation has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConversationKey(pub ConversationId);

impl Loader<ConversationKey> for Loaders {
    type Value = Conversation;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[ConversationKey],
    ) -> Result<HashMap<ConversationKey, Conversation>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let found = conversations::visible(self.viewer()?)
            .filter(conversation::Column::Id.is_in(ids))
            .all(self.app().db.read());
        Ok(by_key(
            found.await?,
            |row| ConversationKey(row.id),
            Conversation,
        ))
    }
}

/// Which is the viewer's direct conversation with this person?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DirectWith(pub UserId);

impl Loader<DirectWith> for Loaders {
    type Value = Conversation;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[DirectWith],
    ) -> Result<HashMap<DirectWith, Conversation>, FieldError> {
        let viewer = self.viewer()?;
        let by_pair: HashMap<_, _> = keys
            .iter()
            .map(|&key| (conversations::direct_key(&[viewer.user, key.0]), key))
            .collect();
        let found = conversations::direct(viewer, by_pair.keys().cloned())
            .all(self.app().db.read())
            .await?;
        let pairs = found.into_iter().filter_map(|row| {
            let key = by_pair.get(row.direct_key.as_deref()?)?;
            Some((*key, Conversation(row)))
        });
        Ok(pairs.collect())
    }
}
