//! Cursors of the event stream: a place in the log, sealed for one person. Reads nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::position::{LogPosition, read_number, write_number};
use crate::{auth::token::Keys, id::UserId};

/// Longer ones are not looked at. A place with 300 running transactions takes about a kilobyte.
const MAX_BYTES: usize = 16 * 1024;

/// A place in the log and the time at which it was the newest, or earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What has been delivered.
    pub place: LogPosition,
    /// All that is not delivered happened after this.
    pub at: DateTime<Utc>,
}

impl Cursor {
    /// The opaque form, which only this person can use.
    #[must_use]
    pub fn seal(&self, keys: &Keys, owner: UserId) -> String {
        let mut bytes = self.place.to_bytes();
        write_number(&mut bytes, self.at.timestamp().cast_unsigned());
        keys.sign_opaque(owner, &bytes)
    }

    /// What a cursor says; `None` when it is not ours or not theirs.
    #[must_use]
    pub fn open(keys: &Keys, owner: UserId, text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let bytes = keys.verify_opaque(owner, text)?;
        let mut rest = bytes.as_slice();
        let place = LogPosition::read(&mut rest)?;
        let at = DateTime::from_timestamp(read_number(&mut rest)?.cast_signed(), 0)?;
        rest.is_empty().then_some(Self { place, at })
    }

    /// Whether the log may no longer hold everything that came after.
    #[must_use]
    pub fn is_older_than(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        self.at + age < now
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::live::position::{Snapshot, tests::places};

    proptest! {
        #[test]
        fn only_their_owner_opens_them(place in places(), seconds in 0_u32.., other in any::<u128>()) {
            let keys = Keys::new(&Keys::generate().unwrap()).unwrap();
            let owner = UserId::mint();
            let at = DateTime::from_timestamp(seconds.into(), 0).unwrap();
            let cursor = Cursor { place, at };
            let text = cursor.seal(&keys, owner);
            prop_assert_eq!(Cursor::open(&keys, owner, &text), Some(cursor));
            let stranger = UserId(uuid::Uuid::from_u128(other));
            prop_assert_eq!(Cursor::open(&keys, stranger, &text), None);
        }
    }

    /// Some clients keep it in a header or an address.
    #[test]
    fn many_writers_leave_it_short() {
        let keys = Keys::new(&Keys::generate().unwrap()).unwrap();
        // Forty transactions that began thousands of others apart, late in the life of a database.
        let first = 1_u64 << 40;
        let running: Vec<_> = (0..40).map(|n| (first + n * 20_000).to_string()).collect();
        let snapshot = format!("{first}:{}:{}", first + 800_000, running.join(","));
        let snapshot = Arc::new(Snapshot::parse(&snapshot).unwrap());
        let place = LogPosition::Inside {
            seen: Arc::clone(&snapshot),
            next: snapshot,
            position: 1 << 40,
        };
        let at = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
        let text = Cursor { place, at }.seal(&keys, UserId::mint());
        assert!(text.len() <= 512, "{}", text.len());
    }

    #[test]
    fn changed_cursors_do_not_open() {
        let keys = Keys::new(&Keys::generate().unwrap()).unwrap();
        let owner = UserId::mint();
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let place = LogPosition::Position(300);
        let text = Cursor { place, at }.seal(&keys, owner);
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'Q' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Cursor::open(&keys, owner, &changed), None, "{changed}");
        }
        for bad in ["", "?", "AAAA", &"A".repeat(20_000), &text[1..]] {
            assert_eq!(Cursor::open(&keys, owner, bad), None);
        }
    }
}
