//! The loader of notifications.

use crate::{
    domain::notifications,
    entity::notification,
    graphql::{
        loaders::{Loaders, by_id},
        notifications::types::Notification,
    },
    id::NotificationId,
};

by_id!(
    /// Loads the viewer's notification with this id.
    NotificationKey(NotificationId) -> Notification = Notification,
    notification::Column::Id, |app, viewer| notifications::visible(viewer)
);
