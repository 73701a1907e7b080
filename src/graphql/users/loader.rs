//! Loaders of users.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

use crate::{
    domain::users,
    entity::{participant, user},
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_id, by_key},
        users::types::User,
    },
    id::UserId,
};

by_id!(
    /// Loads the user with this id.
    UserKey(UserId) -> User = User::from,
    user::Column::Id, |loaders| users::visible(loaders.viewer()?)
);

/// Loads whether this user shares a conversation with the viewer; absent otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IsContact(pub UserId);

impl Loader<IsContact> for Loaders {
    type Value = bool;
    type Error = FieldError;

    async fn load(&self, keys: &[IsContact]) -> Result<HashMap<IsContact, bool>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let contacts: Vec<UserId> = users::contacts(self.viewer()?)
            .select_only()
            .column(participant::Column::UserId)
            .distinct()
            .filter(participant::Column::UserId.is_in(ids))
            .into_tuple()
            .all(self.app().db.read())
            .await?;
        Ok(by_key(contacts, |id| IsContact(*id), |_| true))
    }
}
