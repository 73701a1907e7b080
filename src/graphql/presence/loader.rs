//! Questions about who is around and who types.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use crate::{
    domain::presence::{self, Presence, typing},
    graphql::{errors::FieldError, loaders::Loaders},
    id::{ConversationId, UserId},
};

/// Is this person around?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PresenceOf(pub UserId);

impl Loader<PresenceOf> for Loaders {
    type Value = Presence;
    type Error = FieldError;

    async fn load(&self, keys: &[PresenceOf]) -> Result<HashMap<PresenceOf, Presence>, FieldError> {
        let people: Vec<_> = keys.iter().map(|key| key.0).collect();
        let seen = presence::seen(self.app(), self.viewer()?, &people).await?;
        Ok(seen
            .into_iter()
            .map(|(user, presence)| (PresenceOf(user), presence))
            .collect())
    }
}

/// Who is typing in this conversation?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypingIn(pub ConversationId);

impl Loader<TypingIn> for Loaders {
    type Value = Vec<UserId>;
    type Error = FieldError;

    async fn load(&self, keys: &[TypingIn]) -> Result<HashMap<TypingIn, Vec<UserId>>, FieldError> {
        let conversations: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for (conversation, user) in typing::of(self.app(), self.viewer()?, &conversations).await? {
            found.entry(TypingIn(conversation)).or_default().push(user);
        }
        Ok(found)
    }
}
