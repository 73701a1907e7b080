//! The ids of plain notifications.

use uuid::Uuid;

use crate::id::{MessageId, NotificationId, UserId};

/// The bits of a UUID that are random: neither its time nor its version and variant.
const RANDOM_BITS: u128 = (1 << 62) - 1;

/// The id of the notification of a plain message. It follows from the message and the user, so that it never changes.
#[must_use]
pub fn notification_id(message: MessageId, user: UserId) -> NotificationId {
    NotificationId(mixed(message.0, user))
}

/// The message of a plain notification with this id.
#[must_use]
pub fn message_id(notification: NotificationId, user: UserId) -> MessageId {
    MessageId(mixed(notification.0, user))
}

/// Applied twice, it returns the first id.
fn mixed(id: Uuid, user: UserId) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ (user.0.as_u128() & RANDOM_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_notification_leads_to_its_message() {
        let (ada, ben) = (UserId::mint(), UserId::mint());
        let message = MessageId::mint();
        let (of_ada, of_ben) = (notification_id(message, ada), notification_id(message, ben));
        assert_ne!(of_ada, of_ben);
        assert_eq!(message_id(of_ada, ada), message);
        assert_eq!(message_id(of_ben, ben), message);
        assert_ne!(message_id(of_ben, ada), message);
        assert_eq!(of_ada.0.get_version_num(), 7);
        assert_eq!(of_ada.0.as_bytes()[..8], message.0.as_bytes()[..8]);
    }
}
