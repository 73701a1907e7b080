//! Plain notifications: those of messages that do not mention the user. No table contains them. Whether a message notifies
//! a participant follows from the message, and from the participant's settings at that time, which spans and marks
//! describe:
//!
//! - The present level and mute apply from `settings_from_seq` on. Each change of them stores the span of messages that
//!   notified before.
//! - Messages before `notified_from_seq` do not notify: the user joined or dismissed everything there.
//! - A reply notifies at the level MENTIONS too, while the participant follows its thread. Spans of the thread describe when
//!   they did.
//! - A message of a sender who has a block with a participant is dismissed for them when it is sent.
//! - A stored notification of the same message takes the place of the plain one.
//!
//! A plain notification is read as soon as its message was read once, also if the message is marked unread later.

mod count;
mod find;
mod ids;
mod list;
mod marks;
mod predicates;
mod spans;

pub use self::{
    count::unread_count,
    find::{added, by_ids, removed, unread_in},
    ids::{message_id, notification_id},
    marks::{keep_read_in, silence_blocked_in},
    spans::{close_span_in, skip_in},
};
pub(super) use self::{
    find::of_users_in,
    list::{PlainPage, list},
    marks::{
        MarkKind, dismiss_stored_in, dismiss_until_in, mark_in, mark_until_in, unread_until_in,
    },
};
