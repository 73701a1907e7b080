//! Loaders of conversations.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use crate::{
    domain::conversations,
    entity::conversation,
    graphql::{
        conversations::types::Conversation,
        errors::FieldError,
        loaders::{Loaders, by_id},
    },
    id::{ConversationId, UserId},
};

by_id!(
    /// Loads the conversation with this id.
    ConversationKey(ConversationId) -> Conversation = Conversation,
    conversation::Column::Id, |loaders| conversations::visible(loaders.viewer()?)
);

/// Loads the viewer's direct conversation with this user.
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
