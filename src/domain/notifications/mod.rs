//! Notifications: events that need a user's attention, the reason, and whether the user has read them.
//!
//! What names a user is stored: mentions, and changes of their memberships. All other messages that they accept, and
//! replies in threads that they follow, have [plain] notifications, which are derived when they are queried. A message
//! therefore stores nothing for its readers, whose number does not matter.

mod create;
mod list;
pub mod plain;
mod position;
mod retention;
mod update;

pub use create::{added_in, message_edited_in, messages_sent_in, role_changed_in};
pub use list::{by_ids, list, visible};
pub use position::{ListedNotification, NotificationPlace, NotificationPosition};
pub use retention::delete_old;
pub use update::{
    Selection, changes, dismiss, forget_conversation_in, forget_deleted_in, forget_message_in,
    forget_sender_in, mark_read, read_in,
};
