//! The simulated database: transactions, locks, snapshots and rows, with the semantics of SQLite or PostgreSQL.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    id::{ConversationId, UserId},
    live::{
        log::{Change, Stream},
        log_reader::{Row, Scope},
        position::{LogPosition, Snapshot},
    },
};

/// The simulated database system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One writer, which commits in the order of row numbers.
    Sqlite,
    /// Writers take row numbers when they write, and commit in any order.
    Postgres,
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Tx {
    xid: u64,
    rows: Vec<Stored>,
    /// The users who join (true) or leave (false).
    pub(super) memberships: Vec<(UserId, ConversationId, bool)>,
}

/// A row of the log, with its transaction and its decoded change.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) xid: u64,
    pub(super) change: Change,
    pub(super) row: Row,
}

#[derive(Debug)]
pub(super) struct Database {
    kind: Kind,
    pub(super) last_position: i64,
    visible_position: i64,
    next_xid: u64,
    /// The highest transaction that has ended, from which a snapshot derives its `xmax`.
    ended_xid: u64,
    running: BTreeSet<u64>,
    locks: BTreeMap<Uuid, u64>,
    rows: BTreeMap<i64, Stored>,
    by_xid: BTreeMap<u64, Vec<i64>>,
    pub(super) participants: BTreeSet<(UserId, ConversationId)>,
}

impl Database {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            last_position: 0,
            visible_position: 0,
            next_xid: 700,
            ended_xid: 699,
            running: BTreeSet::new(),
            locks: BTreeMap::new(),
            rows: BTreeMap::new(),
            by_xid: BTreeMap::new(),
            participants: BTreeSet::new(),
        }
    }

    /// Begins a transaction that writes. None on SQLite while another one is open.
    pub(super) fn begin(&mut self) -> Option<Tx> {
        if self.kind == Kind::Sqlite && !self.running.is_empty() {
            return None;
        }
        let xid = self.next_xid;
        self.next_xid += 1;
        self.running.insert(xid);
        Some(Tx {
            xid,
            rows: vec![],
            memberships: vec![],
        })
    }

    /// Takes the row lock of a stream. False while another transaction holds it.
    pub(super) fn lock(&mut self, tx: &Tx, stream: Stream) -> bool {
        *self.locks.entry(stream.id()).or_insert(tx.xid) == tx.xid
    }

    pub(super) fn write(&mut self, tx: &mut Tx, stream: Stream, change: Change, at: DateTime<Utc>) {
        assert_eq!(self.locks.get(&stream.id()), Some(&tx.xid), "locked first");
        self.last_position += 1;
        let row = Row {
            position: self.last_position,
            stream_id: stream.id(),
            payload: serde_json::to_string(&change).unwrap(),
            created_at: at,
        };
        tx.rows.push(Stored {
            xid: tx.xid,
            change,
            row,
        });
    }

    /// Commits a transaction and returns its rows, which are visible from now on.
    pub(super) fn commit(&mut self, tx: Tx) -> Vec<Stored> {
        self.end(tx.xid);
        self.visible_position = self.last_position;
        for (user, conversation, joins) in tx.memberships {
            if joins {
                self.participants.insert((user, conversation));
            } else {
                self.participants.remove(&(user, conversation));
            }
        }
        let positions = tx.rows.iter().map(|stored| stored.row.position);
        self.by_xid.insert(tx.xid, positions.collect());
        for stored in &tx.rows {
            self.rows.insert(stored.row.position, stored.clone());
        }
        tx.rows
    }

    /// Rolls a transaction back. On PostgreSQL its row numbers are not reused.
    pub(super) fn roll_back(&mut self, tx: &Tx) {
        self.end(tx.xid);
        if self.kind == Kind::Sqlite {
            self.last_position = self.visible_position;
        }
    }

    fn end(&mut self, xid: u64) {
        self.running.remove(&xid);
        self.ended_xid = self.ended_xid.max(xid);
        self.locks.retain(|_, holder| *holder != xid);
    }

    /// Whether no transaction is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.running.is_empty()
    }

    pub(super) fn prune(&mut self, before: DateTime<Utc>) -> u64 {
        let count = self.rows.len();
        self.rows
            .retain(|_, stored| stored.row.created_at >= before);
        u64::try_from(count - self.rows.len()).unwrap()
    }

    /// Deletes the oldest events of the streams that have more than `max`, up to the newest one from before this time,
    /// which becomes a `StreamReset`. Returns the positions of these.
    pub(super) fn trim(&mut self, max: usize, before: DateTime<Utc>) -> Vec<i64> {
        let mut streams: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
        for (position, stored) in &self.rows {
            let stream = streams.entry(stored.row.stream_id).or_default();
            stream.push(*position);
        }
        let mut markers = vec![];
        for positions in streams.values() {
            let excess = &positions[..positions.len().saturating_sub(max)];
            let is_old = |position: &&i64| self.rows[*position].row.created_at < before;
            let Some(&newest) = excess.iter().rfind(is_old) else {
                continue;
            };
            let stored = self.rows.get_mut(&newest).unwrap();
            if stored.change == Change::StreamReset {
                continue;
            }
            stored.change = Change::StreamReset;
            stored.row.payload = serde_json::to_string(&stored.change).unwrap();
            for position in excess.iter().filter(|position| **position < newest) {
                self.rows.remove(position);
            }
            markers.push(newest);
        }
        markers
    }

    /// The result of `pg_current_snapshot()`.
    fn snapshot(&self) -> String {
        let xmax = self.ended_xid + 1;
        let running: Vec<_> = self.running.range(..xmax).collect();
        let xmin = running.first().map_or(xmax, |&&xid| xid);
        let running: Vec<_> = running.iter().map(ToString::to_string).collect();
        format!("{xmin}:{xmax}:{}", running.join(","))
    }

    pub(super) fn end_of_log(&self) -> LogPosition {
        match self.kind {
            Kind::Sqlite => LogPosition::Position(self.visible_position),
            Kind::Postgres => {
                let snapshot = Snapshot::parse(&self.snapshot()).unwrap();
                LogPosition::Snapshot(snapshot.into())
            }
        }
    }

    pub(super) fn memberships(
        &self,
        users: &[UserId],
        after: ConversationId,
        limit: usize,
    ) -> Vec<(UserId, ConversationId)> {
        let all = self.participants.iter().copied();
        all.filter(|(user, conversation)| users.contains(user) && *conversation > after)
            .take(limit)
            .collect()
    }

    fn is_conversation(&self, stream: Uuid) -> bool {
        let mut all = self.participants.iter();
        all.any(|(_, conversation)| conversation.0 == stream)
    }

    pub(super) fn contacts(&self, user: UserId) -> HashSet<UserId> {
        let all = self.participants.iter();
        all.filter(|(_, conversation)| self.participants.contains(&(user, *conversation)))
            .map(|(other, _)| *other)
            .collect()
    }

    pub(super) fn between(&self, from: i64, until: i64, scope: Scope, limit: usize) -> Vec<Row> {
        let first = from.saturating_add(1);
        if first > until {
            return vec![];
        }
        let rows = self.rows.range(first..=until).map(|(_, stored)| stored);
        self.select(rows, scope, limit)
    }

    /// The rows, and the snapshot that sees them.
    pub(super) fn unseen(
        &self,
        seen: &Snapshot,
        until: Option<&Snapshot>,
        after: i64,
        scope: Scope,
        limit: usize,
    ) -> (String, Vec<Row>) {
        let text = until.map_or_else(|| self.snapshot(), Snapshot::to_sql);
        let seen = VisibleTransactions::of(&seen.to_sql());
        let until = VisibleTransactions::of(&text);
        let earlier = seen
            .running
            .iter()
            .filter_map(|xid| self.by_xid.get_key_value(xid));
        let later = self.by_xid.range(seen.xmax..);
        let mut positions: Vec<_> = earlier
            .chain(later)
            .filter(|(xid, _)| until.contains(**xid))
            .flat_map(|(_, positions)| positions)
            .filter(|position| **position > after)
            .collect();
        positions.sort_unstable();
        let rows = positions
            .into_iter()
            .filter_map(|position| self.rows.get(position));
        (text, self.select(rows, scope, limit))
    }

    fn select<'a>(
        &self,
        rows: impl Iterator<Item = &'a Stored>,
        scope: Scope,
        limit: usize,
    ) -> Vec<Row> {
        let contacts = match scope {
            Scope::Subscribed(user) => self.contacts(user),
            _ => HashSet::new(),
        };
        let is_in_scope = |stored: &&Stored| {
            let stream = stored.row.stream_id;
            match scope {
                Scope::Everything => true,
                Scope::Subscribed(user) => match stored.change {
                    Change::UserChanged { .. } => true,
                    Change::StreamReset if !self.is_conversation(stream) => true,
                    _ if stream == user.0 => true,
                    Change::ReadPositionChanged { .. } => contacts.contains(&UserId(stream)),
                    _ => self.participants.contains(&(user, ConversationId(stream))),
                },
                Scope::Memberships(user) => {
                    stream == user.0
                        && matches!(
                            stored.change,
                            Change::ConversationJoined { .. }
                                | Change::ConversationLeft { .. }
                                | Change::StreamReset
                        )
                }
            }
        };
        let rows = rows.filter(is_in_scope).take(limit);
        rows.map(|stored| stored.row.clone()).collect()
    }
}

/// The transactions that are visible in a snapshot, parsed independently of the code under test.
pub(super) struct VisibleTransactions {
    xmin: u64,
    xmax: u64,
    running: Vec<u64>,
}

impl VisibleTransactions {
    pub(super) fn of(text: &str) -> Self {
        let parts: Vec<_> = text.split(':').collect();
        let running = parts[2].split(',').filter(|xid| !xid.is_empty());
        Self {
            xmin: parts[0].parse().unwrap(),
            xmax: parts[1].parse().unwrap(),
            running: running.map(|xid| xid.parse().unwrap()).collect(),
        }
    }

    /// The result of `pg_visible_in_snapshot`.
    pub(super) fn contains(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && !self.running.contains(&xid))
    }
}
