//! Questions about notifications.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, QueryFilter};

use crate::{
    domain::notifications,
    entity::notification,
    graphql::{
        errors::FieldError,
        loaders::{Loaders, by_key},
        notifications::types::Notification,
    },
    id::NotificationId,
};

/// Which of the viewer's notifications has this id?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NotificationKey(pub NotificationId);

impl Loader<NotificationKey> for Loaders {
    type Value = Notification;
    type Error = FieldError;

    async fn load(
        &self,
        keys: &[NotificationKey],
    ) -> Result<HashMap<NotificationKey, Notification>, FieldError> {
        let found = notifications::visible(self.viewer()?)
            .filter(notification::Column::Id.is_in(keys.iter().map(|key| key.0)))
            .all(self.app().db.read())
            .await?;
        Ok(by_key(found, |row| NotificationKey(row.id), Notification))
    }
}
