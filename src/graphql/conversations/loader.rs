//! Loaders of conversations.

use std::collections::HashMap;

use crate::{
    domain::conversations,
    entity::conversation,
    graphql::{
        conversations::types::Conversation,
        loaders::{Loaders, by_id, loader},
    },
    id::{ConversationId, UserId},
};

by_id!(
    /// Loads the conversation with this id.
    ConversationKey(ConversationId) -> Conversation = Conversation,
    conversation::Column::Id, |app, viewer| conversations::visible(viewer)
);

loader!(
    /// Loads the viewer's direct conversation with this user.
    DirectWith(UserId) -> Conversation,
    |app, viewer, ids| {
        let by_pair = ids.iter().map(|&user| (conversations::direct_key(&[viewer.user, user]), user));
        let by_pair: HashMap<_, _> = by_pair.collect();
        let found = conversations::direct(viewer, by_pair.keys().cloned());
        found.all(app.db.read()).await?.into_iter().filter_map(move |row| {
            let user = by_pair.get(row.direct_key.as_deref()?)?;
            Some((*user, Conversation(row)))
        })
    }
);
