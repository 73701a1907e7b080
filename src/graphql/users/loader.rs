//! Loaders of users.

use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

use crate::{
    domain::users,
    entity::{participant, user},
    graphql::{
        loaders::{Loaders, by_id, loader},
        users::types::User,
    },
    id::UserId,
};

by_id!(
    /// Loads the user with this id.
    UserKey(UserId) -> User = User::from,
    user::Column::Id, |app, viewer| users::visible(viewer)
);

loader!(
    /// Loads whether this user shares a conversation with the viewer; absent otherwise.
    IsContact(UserId) -> bool,
    |app, viewer, ids| {
        let contacts: Vec<UserId> = users::contacts(viewer)
            .select_only()
            .column(participant::Column::UserId)
            .distinct()
            .filter(participant::Column::UserId.is_in(ids.iter().copied()))
            .into_tuple()
            .all(app.db.read())
            .await?;
        contacts.into_iter().map(|user| (user, true))
    }
);
