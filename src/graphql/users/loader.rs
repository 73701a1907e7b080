//! Questions about people.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};

use crate::{
    domain::users,
    entity::{participant, user},
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_key},
        users::types::User,
    },
    id::UserId,
};

/// Who has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserKey(pub UserId);

impl Loader<UserKey> for Loaders {
    type Value = User;
    type Error = FieldError;

    async fn load(&self, keys: &[UserKey]) -> Result<HashMap<UserKey, User>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let found = users::visible(self.viewer()?)
            .filter(user::Column::Id.is_in(ids))
            .all(self.app().db.read());
        Ok(by_key(found.await?, |row| UserKey(row.id), User))
    }
}

/// Does this person share a conversation with the viewer?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IsContact(pub UserId);

impl Loader<IsContact> for Loaders {
    type Value = bool;
    type Error = FieldError;

    async fn load(&self, keys: &[IsContact]) -> Result<HashMap<IsContact, bool>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let found: Vec<UserId> = users::contacts(self.viewer()?)
            .select_only()
            .column(participant::Column::UserId)
            .distinct()
            .filter(participant::Column::UserId.is_in(ids))
            .into_tuple()
            .all(self.app().db.read())
            .await?;
        Ok(by_key(found, |id| IsContact(*id), |_| true))
    }
}
