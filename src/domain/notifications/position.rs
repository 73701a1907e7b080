//! The order of a user's notifications: newest first.

use chrono::{DateTime, Utc};

use crate::{
    entity::notification,
    id::{ConversationId, NotificationId},
};

/// The position of a notification in the list: its time, and its place among those of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotificationPosition(pub DateTime<Utc>, pub NotificationPlace);

/// The place of a notification among those of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotificationPlace {
    /// A plain notification: the conversation and the sequence number of its message.
    Plain(ConversationId, i32),
    /// A stored notification.
    Stored(NotificationId),
}

impl NotificationPosition {
    /// Every notification until this time is after this position.
    #[must_use]
    pub const fn until(time: DateTime<Utc>) -> Self {
        Self(
            time,
            NotificationPlace::Stored(NotificationId(uuid::Uuid::max())),
        )
    }
}

/// A notification at its position in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNotification {
    /// Its position.
    pub position: NotificationPosition,
    /// The notification.
    pub row: notification::Model,
}

impl ListedNotification {
    /// A stored notification.
    #[must_use]
    pub const fn stored(row: notification::Model) -> Self {
        Self {
            position: NotificationPosition(row.created_at, NotificationPlace::Stored(row.id)),
            row,
        }
    }
}
