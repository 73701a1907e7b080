//! Loaders of presence and typing.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use crate::{
    domain::presence::{self, Presence, typing},
    graphql::{
        errors::FieldError,
        loaders::{Loaders, loader},
    },
    id::{ConversationId, UserId},
};

loader!(
    /// Loads the presence of this user, as far as the viewer may see it.
    PresenceOf(UserId) -> Presence,
    |app, viewer, ids| presence::seen(app, viewer, ids).await?
);

/// Loads the users who are typing in this conversation.
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
