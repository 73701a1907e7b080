//! The loader of notifications.

use crate::{
    domain::notifications,
    graphql::{
        loaders::{Loaders, loader},
        notifications::types::Notification,
    },
    id::NotificationId,
};

loader!(
    /// Loads the viewer's notification with this id.
    NotificationKey(NotificationId) -> Notification,
    |app, viewer, ids| {
        let rows = notifications::by_ids(app.db.read(), viewer, ids).await?;
        rows.into_iter().map(|row| (row.id, Notification(row)))
    }
);
