//! Loaders of presence and typing.

use std::collections::HashMap;

use crate::{
    domain::presence::{self, Presence, typing},
    graphql::loaders::{Loaders, loader},
    id::{ConversationId, UserId},
};

loader!(
    /// Loads the presence of this user, as far as the viewer may see it.
    PresenceOf(UserId) -> Presence,
    |app, viewer, ids| presence::seen(app, viewer, ids).await?
);

loader!(
    /// Loads the users who are typing in this conversation.
    TypingIn(ConversationId) -> Vec<UserId>,
    |app, viewer, ids| {
        let mut typing: HashMap<_, Vec<_>> = HashMap::new();
        for (conversation, user) in typing::of(app, viewer, ids).await? {
            typing.entry(conversation).or_default().push(user);
        }
        typing
    }
);
