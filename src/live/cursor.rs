//! Cursors of the event stream: a position in the log, signed for one user.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    entry::Entry,
    epoch::LogEpoch,
    position::{LogPosition, read_number, write_number},
};
use crate::{auth::token::Keys, id::UserId};

/// Longer texts are not decoded. A position with 300 running transactions takes about a kilobyte.
const MAX_BYTES: usize = 16 * 1024;

/// The first byte of a cursor. Earlier versions wrote cursors without an epoch, which begin with another one.
const VERSION: u8 = b'2';

/// A position in the log, and a time at which it was the end of the log or before which it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// The epoch of the log to which the position belongs.
    pub epoch: LogEpoch,
    /// The events that were delivered.
    pub position: LogPosition,
    /// All events that were not delivered happened after this time.
    pub at: DateTime<Utc>,
}

impl EventCursor {
    /// The opaque text, which is valid for this user alone.
    #[must_use]
    pub fn seal(&self, keys: &Keys, owner: UserId) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.epoch.0.to_be_bytes());
        self.position.write_to(&mut bytes);
        write_number(&mut bytes, self.at.timestamp().cast_unsigned());
        keys.sign_opaque(owner, &bytes)
    }

    /// The cursor behind a text. None when this server did not sign it for this user.
    #[must_use]
    pub fn open(keys: &Keys, owner: UserId, text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let bytes = keys.verify_opaque(owner, text)?;
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (epoch, mut rest) = rest.split_first_chunk()?;
        let epoch = LogEpoch(i64::from_be_bytes(*epoch));
        let position = LogPosition::read(&mut rest)?;
        let at = DateTime::from_timestamp(read_number(&mut rest)?.cast_signed(), 0)?;
        rest.is_empty().then_some(Self {
            epoch,
            position,
            at,
        })
    }

    /// The cursor just after a later event of the same stream.
    #[must_use]
    pub fn advanced_to(&self, entry: &Entry) -> Self {
        Self {
            epoch: self.epoch,
            position: entry.position.clone(),
            at: entry.at,
        }
    }

    /// Whether events after the cursor may have been deleted from the log.
    #[must_use]
    pub fn is_older_than(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        self.at + age < now
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::live::position::{Snapshot, tests::positions};

    proptest! {
        #[test]
        fn only_the_owner_can_open_a_cursor(
            position in positions(), seconds in 0_u32.., other in any::<u128>(), epoch in any::<i64>(),
        ) {
            let keys = Keys::new(&Keys::generate().unwrap(), Uuid::nil()).unwrap();
            let owner = UserId::mint();
            let at = DateTime::from_timestamp(seconds.into(), 0).unwrap();
            let cursor = EventCursor { epoch: LogEpoch(epoch), position, at };
            let text = cursor.seal(&keys, owner);
            prop_assert_eq!(EventCursor::open(&keys, owner, &text), Some(cursor));
            let stranger = UserId(Uuid::from_u128(other));
            prop_assert_eq!(EventCursor::open(&keys, stranger, &text), None);
        }
    }

    /// Some clients send it in a header or a URL.
    #[test]
    fn a_cursor_is_short_even_with_many_writers() {
        let keys = Keys::new(&Keys::generate().unwrap(), Uuid::nil()).unwrap();
        // Forty transactions, thousands of transactions after each other, in an old database.
        let first = 1_u64 << 40;
        let running: Vec<_> = (0..40).map(|n| (first + n * 20_000).to_string()).collect();
        let snapshot = format!("{first}:{}:{}", first + 800_000, running.join(","));
        let snapshot = Arc::new(Snapshot::parse(&snapshot).unwrap());
        let position = LogPosition::Inside {
            seen: Arc::clone(&snapshot),
            next: snapshot,
            number: 1 << 40,
        };
        let at = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
        let epoch = LogEpoch(i64::MAX);
        let text = EventCursor {
            epoch,
            position,
            at,
        };
        let text = text.seal(&keys, UserId::mint());
        assert!(text.len() <= 512, "{}", text.len());
    }

    #[test]
    fn a_cursor_without_an_epoch_does_not_open() {
        let keys = Keys::new(&Keys::generate().unwrap(), Uuid::nil()).unwrap();
        let owner = UserId::mint();
        let mut bytes = vec![];
        LogPosition::Position(300).write_to(&mut bytes);
        write_number(&mut bytes, 1_700_000_000);
        let text = keys.sign_opaque(owner, &bytes);
        assert_eq!(EventCursor::open(&keys, owner, &text), None);
    }

    #[test]
    fn altered_cursors_do_not_open() {
        let keys = Keys::new(&Keys::generate().unwrap(), Uuid::nil()).unwrap();
        let owner = UserId::mint();
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let position = LogPosition::Position(300);
        let cursor = EventCursor {
            epoch: LogEpoch(1),
            position,
            at,
        };
        let text = cursor.seal(&keys, owner);
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'Q' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(EventCursor::open(&keys, owner, &changed), None, "{changed}");
        }
        for bad in ["", "?", "AAAA", &"A".repeat(20_000), &text[1..]] {
            assert_eq!(EventCursor::open(&keys, owner, bad), None);
        }
    }
}
