//! Positions in the event log: exactly which events were delivered, on SQLite or PostgreSQL. Pure values, no
//! statements.

use std::sync::Arc;

/// The transactions that PostgreSQL had finished at one time, as `pg_current_snapshot()` returns them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All transactions before this one had finished.
    xmin: u64,
    /// This one and all later ones had not begun.
    xmax: u64,
    /// The transactions in between that were still running, ascending.
    running: Vec<u64>,
}

impl Snapshot {
    /// Parses PostgreSQL's text form, `xmin:xmax:xip,xip,…`.
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
        let is_valid = xmin <= xmax
            && running.is_sorted_by(|a, b| a < b)
            && running.iter().all(|xid| (xmin..xmax).contains(xid));
        is_valid.then_some(Self {
            xmin,
            xmax,
            running,
        })
    }

    /// PostgreSQL's text form.
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

/// How far the log was read. PostgreSQL commits rows in another order than it numbers them, so a row number is not
/// enough there. A snapshot is: the events that are visible in it were delivered, and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPosition {
    /// SQLite, which has one writer: all rows up to this number.
    Position(i64),
    /// PostgreSQL: all rows that are visible in this snapshot.
    Snapshot(Arc<Snapshot>),
    /// PostgreSQL, inside a batch: the rows that are visible in `seen`, and those in `next` up to `number`.
    Inside {
        /// The snapshot that was delivered completely.
        seen: Arc<Snapshot>,
        /// The snapshot that is being delivered.
        next: Arc<Snapshot>,
        /// The number of the last row that was delivered of it.
        number: i64,
    },
}

impl LogPosition {
    /// Whether a reader at `now` cannot have passed this position: it belongs to another database, or to a time after
    /// the backup that was restored.
    #[must_use]
    pub fn is_beyond(&self, now: &Self) -> bool {
        match (self, now) {
            (Self::Position(this), Self::Position(now)) => this > now,
            (Self::Snapshot(this) | Self::Inside { next: this, .. }, Self::Snapshot(now)) => {
                this.xmax > now.xmax
            }
            _ => true,
        }
    }

    /// A number that only grows: that of the row on SQLite, that of the next transaction on PostgreSQL.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Position(number) => u64::try_from(*number).unwrap_or_default(),
            Self::Snapshot(seen) | Self::Inside { next: seen, .. } => seen.xmax,
        }
    }

    /// Appends the compact encoding that cursors contain.
    pub(super) fn write_to(&self, to: &mut Vec<u8>) {
        match self {
            Self::Position(number) => {
                to.push(b'p');
                write_number(to, number.cast_unsigned());
            }
            Self::Snapshot(seen) => {
                to.push(b's');
                write_snapshot(to, seen);
            }
            Self::Inside { seen, next, number } => {
                to.push(b'i');
                write_snapshot(to, seen);
                write_snapshot(to, next);
                write_number(to, number.cast_unsigned());
            }
        }
    }

    /// Decodes [`LogPosition::write_to`] and advances `from` past it.
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
                number: read_number(from)?.cast_signed(),
            },
            _ => return None,
        })
    }
}

fn write_snapshot(to: &mut Vec<u8>, snapshot: &Snapshot) {
    write_number(to, snapshot.xmin);
    write_number(to, snapshot.xmax - snapshot.xmin);
    write_number(to, u64::try_from(snapshot.running.len()).unwrap_or(0));
    let mut previous = snapshot.xmin;
    for &xid in &snapshot.running {
        write_number(to, xid - previous);
        previous = xid;
    }
}

fn read_snapshot(from: &mut &[u8]) -> Option<Snapshot> {
    let xmin = read_number(from)?;
    let xmax = xmin.checked_add(read_number(from)?)?;
    let mut previous = xmin;
    let mut running = vec![];
    for _ in 0..read_number(from)? {
        previous = previous.checked_add(read_number(from)?)?;
        running.push(previous);
    }
    Snapshot::checked(xmin, xmax, running)
}

/// LEB128: seven bits per byte, the lowest first. The eighth bit means that more bytes follow.
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

    pub(in crate::live) fn positions() -> impl Strategy<Value = LogPosition> {
        prop_oneof![
            (0..i64::MAX).prop_map(LogPosition::Position),
            snapshots().prop_map(LogPosition::Snapshot),
            (snapshots(), snapshots(), 0..i64::MAX)
                .prop_map(|(seen, next, number)| LogPosition::Inside { seen, next, number }),
        ]
    }

    proptest! {
        #[test]
        fn positions_survive_their_encoding(position in positions()) {
            let mut bytes = vec![];
            position.write_to(&mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(LogPosition::read(&mut rest), Some(position));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn snapshots_survive_their_text_form(snapshot in snapshots()) {
            prop_assert_eq!(Snapshot::parse(&snapshot.to_sql()), Some((*snapshot).clone()));
        }

        #[test]
        fn arbitrary_bytes_decode_to_none_or_to_a_position(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(position) = LogPosition::read(&mut bytes.as_slice()) {
                let mut encoded = vec![];
                position.write_to(&mut encoded);
                prop_assert_eq!(LogPosition::read(&mut encoded.as_slice()), Some(position));
            }
        }
    }

    #[test]
    fn inconsistent_snapshots_are_rejected() {
        for bad in [
            "", "1", "1:2", "2:1:", "1:3:3", "1:9:4,3", "1:9:4,4", "1:9:0", "a:b:",
        ] {
            assert_eq!(Snapshot::parse(bad), None, "{bad}");
        }
    }
}
