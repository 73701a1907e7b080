//! Questions about people.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::users,
    entity::user,
    graphql::{
        batch::{Batch, by_key},
        errors::Refusal,
        users::types::User,
    },
    id::UserId,
};

/// Who has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserKey(pub UserId);

impl Loader<UserKey> for Batch {
    type Value = User;
    type Error = Refusal;

    async fn load(&self, keys: &[UserKey]) -> Result<HashMap<UserKey, User>, Refusal> {
        let ids = keys.iter().map(|key| key.0);
        let found = users::visible(self.viewer()?)
            .filter(user::Column::Id.is_in(ids))
            .all(self.app().db.read());
        Ok(by_key(found.await?, |row| UserKey(row.id), User))
    }
}
