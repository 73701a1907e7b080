//! Questions about sessions.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::sessions,
    entity::session,
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_key},
        sessions::types::Session,
    },
    id::SessionId,
};

/// Which of the viewer's own sessions has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(pub SessionId);

impl Loader<SessionKey> for Loaders {
    type Value = Session;
    type Error = FieldError;

    async fn load(&self, keys: &[SessionKey]) -> Result<HashMap<SessionKey, Session>, FieldError> {
        let ids = keys.iter().map(|key| key.0);
        let found = sessions::live(self.viewer()?, self.app().clock.now())
            .filter(session::Column::Id.is_in(ids))
            .all(self.app().db.read());
        Ok(by_key(found.await?, |row| SessionKey(row.id), Session))
    }
}
