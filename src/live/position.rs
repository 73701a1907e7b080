//! Places in the event log: what exactly has been delivered, on either database. Reads nothing.

use std::sync::Arc;

/// Which transactions PostgreSQL had finished at one moment, as `pg_current_snapshot()` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All before this one were finished.
    xmin: u64,
    /// From this one on none was.
    xmax: u64,
    /// Those between that were still running, ascending.
    running: Vec<u64>,
}

impl Snapshot {
    /// A snapshot written in PostgreSQL's own form, `xmin:xmax:xip,xip,…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (xmin, rest) = text.split_once(':')?;
        let (xmax, running) = rest.split_once(':')?;
        let running = running
            .split(',')
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().ok())
            .collect::<Option<_>>()?;
        Self::checked(xmin.parse().ok()?, xmax.parse().ok()?, running)
    }

    fn checked(xmin: u64, xmax: u64, running: Vec<u64>) -> Option<Self> {
        let is_sound = xmin <= xmax
            && running.is_sorted_by(|a, b| a < b)
            && running.iter().all(|xid| (xmin..xmax).contains(xid));
        is_sound.then_some(Self {
            xmin,
            xmax,
            running,
        })
    }

    /// In PostgreSQL's own form.
    #[must_use]
    pub fn to_sql(&self) -> String {
        let running: Vec<_> = self.running.iter().map(u64::to_string).collect();
        format!("{}:{}:{}", self.xmin, self.xmax, running.join(","))
    }

    /// The first transaction that had not begun.
    #[must_use]
    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// The transactions that were running, as a PostgreSQL array.
    #[must_use]
    pub fn running_to_sql(&self) -> String {
        let running: Vec<_> = self.running.iter().map(u64::to_string).collect();
        format!("{{{}}}", running.join(","))
    }
}

/// How far somebody has read the log. PostgreSQL commits in another order than it numbers rows, so
/// there a number cannot say it, but a snapshot can: everything it sees was delivered, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPosition {
    /// SQLite has one writer: everything up to this position.
    Position(i64),
    /// PostgreSQL: everything that this snapshot sees.
    Snapshot(Arc<Snapshot>),
    /// PostgreSQL, inside a batch: everything `seen` sees, and what `next` sees up to `position`.
    Inside {
        /// What was delivered whole.
        seen: Arc<Snapshot>,
        /// What is being delivered.
        next: Arc<Snapshot>,
        /// The last delivered position of it.
        position: i64,
    },
}

impl LogPosition {
    /// Whether a reader who is at `now` cannot have come past this place: it belongs to another
    /// database, or to a time that a restored backup has undone.
    #[must_use]
    pub fn is_beyond(&self, now: &Self) -> bool {
        match (self, now) {
            (Self::Position(mine), Self::Position(now)) => mine > now,
            (Self::Snapshot(mine) | Self::Inside { next: mine, .. }, Self::Snapshot(now)) => {
                mine.xmax > now.xmax
            }
            _ => true,
        }
    }

    /// The compact form that cursors carry.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(32);
        match self {
            Self::Position(position) => {
                to.push(b'p');
                write_number(&mut to, position.cast_unsigned());
            }
            Self::Snapshot(seen) => {
                to.push(b's');
                write_snapshot(&mut to, seen);
            }
            Self::Inside {
                seen,
                next,
                position,
            } => {
                to.push(b'i');
                write_snapshot(&mut to, seen);
                write_snapshot(&mut to, next);
                write_number(&mut to, position.cast_unsigned());
            }
        }
        to
    }

    /// Reads [`LogPosition::to_bytes`] back and moves `from` past it.
    #[must_use]
    pub fn read(from: &mut &[u8]) -> Option<Self> {
        let (kind, rest) = from.split_first()?;
        *from = rest;
        Some(match kind {
            b'p' => Self::Position(read_number(from)?.cast_signed()),
            b's' => Self::Snapshot(Arc::new(read_snapshot(from)?)),
            b'i' => Self::Inside {
                seen: Arc::new(read_snapshot(from)?),
                next: Arc::new(read_snapshot(from)?),
                position: read_number(from)?.cast_signed(),
            },
            _ => return None,
        })
    }
}

fn write_snapshot(to: &mut Vec<u8>, snapshot: &Snapshot) {
    write_number(to, snapshot.xmin);
    write_number(to, snapshot.xmax - snapshot.xmin);
    write_number(to, u64::try_from(snapshot.running.len()).unwrap_or(0));
    let mut before = snapshot.xmin;
    for &xid in &snapshot.running {
        write_number(to, xid - before);
        before = xid;
    }
}

fn read_snapshot(from: &mut &[u8]) -> Option<Snapshot> {
    let xmin = read_number(from)?;
    let xmax = xmin.checked_add(read_number(from)?)?;
    let mut before = xmin;
    let mut running = vec![];
    for _ in 0..read_number(from)? {
        before = before.checked_add(read_number(from)?)?;
        running.push(before);
    }
    Snapshot::checked(xmin, xmax, running)
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
pub(super) fn write_number(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            to.push(low & 0x7f);
            return;
        }
        to.push(low | 0x80);
    }
}

pub(super) fn read_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        let moved = bits << shift;
        if moved >> shift != bits {
            return None;
        }
        number |= moved;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn snapshots() -> impl Strategy<Value = Arc<Snapshot>> {
        (any::<u32>(), btree_set(0_u64..5000, 0..40)).prop_map(|(xmin, running)| {
            let xmin = u64::from(xmin);
            let running: Vec<_> = running.into_iter().map(|step| xmin + step).collect();
            let xmax = running.last().map_or(xmin, |last| last + 1);
            Arc::new(Snapshot::checked(xmin, xmax, running).unwrap())
        })
    }

    pub(in crate::live) fn places() -> impl Strategy<Value = LogPosition> {
        prop_oneof![
            (0..i64::MAX).prop_map(LogPosition::Position),
            snapshots().prop_map(LogPosition::Snapshot),
            (snapshots(), snapshots(), 0..i64::MAX).prop_map(|(seen, next, position)| {
                LogPosition::Inside {
                    seen,
                    next,
                    position,
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn places_survive_their_compact_form(place in places()) {
            let bytes = place.to_bytes();
            let mut rest = bytes.as_slice();
            prop_assert_eq!(LogPosition::read(&mut rest), Some(place));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn snapshots_survive_postgresqls_own_form(snapshot in snapshots()) {
            prop_assert_eq!(Snapshot::parse(&snapshot.to_sql()), Some((*snapshot).clone()));
        }

        #[test]
        fn what_is_no_place_is_none(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(place) = LogPosition::read(&mut bytes.as_slice()) {
                let again = place.to_bytes();
                prop_assert_eq!(LogPosition::read(&mut again.as_slice()), Some(place));
            }
        }
    }

    #[test]
    fn snapshots_that_contradict_themselves_are_refused() {
        for bad in [
            "", "1", "1:2", "2:1:", "1:3:3", "1:9:4,3", "1:9:4,4", "1:9:0", "a:b:",
        ] {
            assert_eq!(Snapshot::parse(bad), None, "{bad}");
        }
    }
}
