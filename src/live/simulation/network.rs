//! The nodes, their connections to the database, and the wake-ups that they send to each other.

use std::{
    collections::HashSet,
    future::pending,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    database::{Database, Kind},
    harness::{Harness, Phase},
};
use crate::{
    clock::Clock,
    entity::session,
    error::{Code, Error},
    id::{ConversationId, SessionId, UserId},
    live::{
        backend::HubBackend,
        bus::{Bus, Link, WakeupSource},
        ephemeral::{Ephemeral, SeenEphemeral},
        epoch::LogEpoch,
        hub::Hub,
        log_reader::{Log, Row, Scope},
        position::{LogPosition, Snapshot},
        presence::{Presence, PresenceSignal},
        retention,
    },
};

/// How long a cursor is valid.
pub(super) const RETENTION: Duration = Duration::from_mins(90);

/// The numbers of events after which streams are trimmed, of which each cleanup chooses one.
const EVENTS_PER_STREAM: [usize; 3] = [20, 200, 2000];
/// The age from which events are trimmed: more than any reader is late, but less than clients are away.
const TRIMMED_AGE: TimeDelta = TimeDelta::minutes(20);

/// Lookups of audiences for each one that fails or never returns.
const LOOKUPS_PER_FAULT: usize = 12;

/// A node, until it is killed.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) hub: Hub,
    pub(super) killed: CancellationToken,
    wakeups: Arc<Wakeups>,
    /// When statements succeed again.
    pub(super) fails_until: Duration,
    /// When Redis is connected again.
    pub(super) unlinked_until: Duration,
}

/// The wake-ups that one node receives.
#[derive(Debug, Default)]
struct Wakeups {
    local: watch::Sender<u64>,
    remote: watch::Sender<u64>,
    ephemeral: watch::Sender<u64>,
}

impl Node {
    /// Starts the node of this number.
    pub(super) fn start(harness: &Arc<Harness>, number: usize) -> Self {
        let (killed, wakeups) = (CancellationToken::new(), Arc::new(Wakeups::default()));
        let connection = Connection {
            harness: Arc::clone(harness),
            number,
            name: format!("node {number}"),
            wakeups: Arc::clone(&wakeups),
        };
        let (clock, tasks) = (&harness.clock, &harness.tasks);
        let backend = Arc::new(connection);
        Self {
            hub: Hub::with_backend(backend, clock, tasks, &killed, RETENTION, None),
            killed,
            wakeups,
            fails_until: Duration::ZERO,
            unlinked_until: Duration::ZERO,
        }
    }
}

/// Kills a node and starts another in its place.
pub(super) fn kill(harness: &Arc<Harness>, number: usize) {
    harness.step("a fault", format_args!("kills node {number}"));
    harness.count("nodes killed");
    let next = Node::start(harness, number);
    let node = std::mem::replace(&mut harness.state().nodes[number], next);
    node.killed.cancel();
}

/// Sends the wake-up of a commit to this node, and over the unreliable network to all others.
pub(super) fn notify(harness: &Arc<Harness>, from: usize) {
    let nodes = harness.state().nodes.clone();
    nodes[from].wakeups.local.send_modify(|count| *count += 1);
    let now = harness.now();
    for (to, node) in nodes.iter().enumerate() {
        if to == from {
            continue;
        }
        if nodes[from].unlinked_until > now || node.unlinked_until > now || harness.once_in(4) {
            harness.count("wake-ups lost");
            continue;
        }
        let times = if harness.once_in(8) { 2 } else { 1 };
        for _ in 0..times {
            let delay = match harness.number(0..20) {
                0 => 300..6000,
                1..4 => 20..300,
                _ => 0..20,
            };
            let (harness, node) = (Arc::clone(harness), node.clone());
            harness.tasks.clone().spawn(async move {
                harness.pause(delay).await;
                harness.step("the network", format_args!("wakes up node {to}"));
                node.wakeups.remote.send_modify(|count| *count += 1);
            });
        }
    }
}

/// One node's connection to the database.
#[derive(Debug)]
struct Connection {
    harness: Arc<Harness>,
    number: usize,
    name: String,
    wakeups: Arc<Wakeups>,
}

impl Connection {
    /// Executes a statement, which sees the database at one time between request and response.
    async fn execute<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Database) -> T + Send,
    ) -> Result<T, Error> {
        let harness = &self.harness;
        if harness.state().is_busy {
            self.wakeups.local.send_modify(|count| *count += 1);
        }
        let is_slow = harness.phase() == Phase::Active && harness.once_in(40);
        harness.pause(if is_slow { 10..400 } else { 0..2 }).await;
        let outcome = {
            let state = harness.state();
            (state.nodes[self.number].fails_until <= state.clock_at).then(|| read(&state.database))
        };
        let is_lost = harness.phase() == Phase::Active && harness.once_in(100);
        let outcome = outcome.filter(|_| !is_lost);
        let verb = if outcome.is_some() {
            "reads"
        } else {
            "cannot read"
        };
        harness.step(&self.name, format_args!("{verb} {name}"));
        if outcome.is_none() {
            harness.count("statements failed");
        }
        harness.pause(0..2).await;
        outcome.ok_or_else(unavailable)
    }
}

/// Records when a lookup fails, also when it is cancelled.
struct Lookup<'a> {
    harness: &'a Harness,
    has_succeeded: bool,
}

impl Drop for Lookup<'_> {
    fn drop(&mut self) {
        if !self.has_succeeded {
            let state = &mut *self.harness.state();
            state.lookup_failed_at = state.database.last_position;
        }
    }
}

impl Connection {
    /// Executes the lookup of an audience, which may fail or never return although the log can be read.
    async fn look_up<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Database) -> T + Send,
    ) -> Result<T, Error> {
        let harness = &*self.harness;
        let mut lookup = Lookup {
            harness,
            has_succeeded: false,
        };
        if harness.phase() == Phase::Active && harness.once_in(LOOKUPS_PER_FAULT) {
            if harness.once_in(2) {
                harness.step(&self.name, format_args!("never receives {name}"));
                harness.count("lookups never returned");
                return pending().await;
            }
            harness.step(&self.name, format_args!("cannot look up {name}"));
            harness.count("lookups failed");
            return Err(unavailable());
        }
        let result = self.execute(name, read).await;
        lookup.has_succeeded = result.is_ok();
        result
    }
}

fn unavailable() -> Error {
    Error::new(Code::Unavailable, "The database is unavailable.")
}

#[async_trait]
impl Log for Connection {
    async fn end(&self) -> Result<LogPosition, Error> {
        self.execute("the end", Database::end_of_log).await
    }

    async fn memberships(
        &self,
        users: &[UserId],
        after: ConversationId,
        limit: usize,
    ) -> Result<Vec<(UserId, ConversationId)>, Error> {
        let read = |database: &Database| database.memberships(users, after, limit);
        self.look_up("memberships", read).await
    }

    async fn contacts_among(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<HashSet<UserId>, Error> {
        let read = |database: &Database| {
            let mut contacts = database.contacts(user);
            contacts.retain(|contact| others.contains(contact));
            contacts
        };
        self.look_up("contacts", read).await
    }

    async fn between(
        &self,
        from: i64,
        until: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        assert_eq!(self.harness.kind, Kind::Sqlite);
        let read = |database: &Database| database.between(from, until, scope, limit);
        self.execute("events", read).await
    }

    async fn unseen(
        &self,
        seen: &Snapshot,
        until: Option<&Arc<Snapshot>>,
        after: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<(Arc<Snapshot>, Vec<Row>), Error> {
        assert_eq!(self.harness.kind, Kind::Postgres);
        let until = until.map(|until| &**until);
        let read = |database: &Database| database.unseen(seen, until, after, scope, limit);
        let (next, rows) = self.execute("events", read).await?;
        Ok((Arc::new(Snapshot::parse(&next).unwrap()), rows))
    }
}

#[async_trait]
impl HubBackend for Connection {
    fn is_shared(&self) -> bool {
        self.harness.kind == Kind::Postgres
    }

    async fn listen(
        &self,
        _: Option<(&str, &Arc<AtomicBool>)>,
    ) -> Result<(Bus, Option<Link>), Error> {
        let source = |log: &watch::Sender<u64>| {
            WakeupSource::new(log.subscribe(), self.wakeups.ephemeral.subscribe())
        };
        let bus = Bus::merge(source(&self.wakeups.local), source(&self.wakeups.remote));
        Ok((bus, None))
    }

    async fn epoch(&self) -> Result<LogEpoch, Error> {
        Ok(LogEpoch::default())
    }

    async fn begin_epoch(&self, read: LogEpoch) -> Result<LogEpoch, Error> {
        Err(Error::internal(format!("no log was lost in {read:?}")))
    }

    fn presence(&self, _: &Clock, _: mpsc::UnboundedReceiver<PresenceSignal>) -> Option<Presence> {
        None
    }

    async fn ephemeral(
        &self,
        _: &mut SeenEphemeral,
        _: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error> {
        self.harness.count("ephemeral checks");
        self.execute("ephemeral events", |_| vec![]).await
    }

    async fn sessions(&self, _: &[SessionId]) -> Result<Vec<session::Model>, Error> {
        self.execute("sessions", |_| vec![]).await
    }

    fn note_session_endings(&self) {}

    async fn prune(&self, retention: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
        let before = retention::horizon(retention, now);
        let harness = &self.harness;
        let count = harness.state().database.prune(before);
        if count > 0 {
            harness.count("events deleted");
            harness.step(&self.name, format_args!("deletes {count} events"));
        }
        let &max = harness.one_of(&EVENTS_PER_STREAM);
        let trimmed = {
            let state = &mut *harness.state();
            let markers = state.database.trim(max, now - TRIMMED_AGE);
            let trimmed = markers.len();
            state.oracle.trim(markers);
            trimmed
        };
        if trimmed > 0 {
            harness.count("streams trimmed");
            harness.step(&self.name, format_args!("trims {trimmed} streams"));
        }
        Ok(count)
    }
}
