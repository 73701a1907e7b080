//! Nodes, what lies between them and the database, and the doorbells that they send one another.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    database::{Database, Kind},
    world::{Phase, World},
};
use crate::{
    clock::Clock,
    entity::session,
    error::{Code, Error},
    id::{ConversationId, SessionId, UserId},
    live::{
        bus::{Bus, Link, Side},
        fleeting::{Fleeting, Recent},
        ground::Ground,
        hub::Hub,
        place::{Place, Snapshot},
        presence::{Passing, Presence},
        prune,
        read::{Log, Row, Scope},
    },
};

/// How long cursors are good.
pub(super) const KEEPS: Duration = Duration::from_mins(90);

/// A node, until it is killed.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) hub: Hub,
    pub(super) killed: CancellationToken,
    bells: Arc<Bells>,
    /// The database is away until then.
    pub(super) fails_until: Duration,
    /// Redis is away until then.
    pub(super) cut_until: Duration,
}

/// The bells that one node hears.
#[derive(Debug, Default)]
struct Bells {
    near: watch::Sender<u64>,
    far: watch::Sender<u64>,
    fleeting: watch::Sender<u64>,
}

impl Node {
    /// A new node at this place.
    pub(super) fn starts(world: &Arc<World>, number: usize) -> Self {
        let (killed, bells) = (CancellationToken::new(), Arc::new(Bells::default()));
        let connection = Connection {
            world: Arc::clone(world),
            number,
            name: format!("node {number}"),
            bells: Arc::clone(&bells),
        };
        let (clock, tasks) = (&world.clock, &world.tasks);
        let ground = Arc::new(connection);
        Self {
            hub: Hub::over(ground, clock, tasks, &killed, KEEPS, None),
            killed,
            bells,
            fails_until: Duration::ZERO,
            cut_until: Duration::ZERO,
        }
    }
}

/// A node is no more; another takes its place.
pub(super) fn kill(world: &Arc<World>, number: usize) {
    world.step("a fault", format_args!("kills node {number}"));
    world.counts("nodes killed");
    let next = Node::starts(world, number);
    let node = std::mem::replace(&mut world.state().nodes[number], next);
    node.killed.cancel();
}

/// A commit of this node rings here, and everywhere else if the network likes.
pub(super) fn ring(world: &Arc<World>, from: usize) {
    let nodes = world.state().nodes.clone();
    nodes[from].bells.near.send_modify(|count| *count += 1);
    let now = world.now();
    for (to, node) in nodes.iter().enumerate() {
        if to == from {
            continue;
        }
        if nodes[from].cut_until > now || node.cut_until > now || world.once_in(4) {
            world.counts("doorbells lost");
            continue;
        }
        let times = if world.once_in(8) { 2 } else { 1 };
        for _ in 0..times {
            let delay = match world.number(0..20) {
                0 => 300..6000,
                1..4 => 20..300,
                _ => 0..20,
            };
            let (world, node) = (Arc::clone(world), node.clone());
            world.tasks.clone().spawn(async move {
                world.pause(delay).await;
                world.step("the network", format_args!("rings at node {to}"));
                node.bells.far.send_modify(|count| *count += 1);
            });
        }
    }
}

/// One node's way to the database.
#[derive(Debug)]
struct Connection {
    world: Arc<World>,
    number: usize,
    name: String,
    bells: Arc<Bells>,
}

impl Connection {
    /// A statement sees the database of one moment, between being sent and being answered.
    async fn states<T>(
        &self,
        what: &str,
        read: impl FnOnce(&Database) -> T + Send,
    ) -> Result<T, Error> {
        let world = &self.world;
        if world.state().is_busy {
            self.bells.near.send_modify(|count| *count += 1);
        }
        let is_slow = world.phase() == Phase::Storm && world.once_in(40);
        world.pause(if is_slow { 10..400 } else { 0..2 }).await;
        let outcome = {
            let state = world.state();
            (state.nodes[self.number].fails_until <= state.clock_at).then(|| read(&state.database))
        };
        let is_lost = world.phase() == Phase::Storm && world.once_in(100);
        let outcome = outcome.filter(|_| !is_lost);
        let answer = if outcome.is_some() {
            "reads"
        } else {
            "cannot read"
        };
        world.step(&self.name, format_args!("{answer} {what}"));
        if outcome.is_none() {
            world.counts("statements failed");
        }
        world.pause(0..2).await;
        outcome.ok_or_else(|| Error::new(Code::Unavailable, "The database is away."))
    }
}

#[async_trait]
impl Log for Connection {
    async fn end(&self) -> Result<Place, Error> {
        self.states("the end", Database::end_of_log).await
    }

    async fn memberships(
        &self,
        people: &[UserId],
    ) -> Result<(Vec<(UserId, ConversationId)>, Place), Error> {
        let read = |database: &Database| (database.memberships(people), database.end_of_log());
        self.states("memberships", read).await
    }

    async fn contacts(&self, user: UserId) -> Result<BTreeSet<Uuid>, Error> {
        let read = |database: &Database| database.contacts(user);
        self.states("contacts", read).await
    }

    async fn between(
        &self,
        from: i64,
        until: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        assert_eq!(self.world.kind, Kind::Sqlite);
        let read = |database: &Database| database.between(from, until, scope, limit);
        self.states("events", read).await
    }

    async fn unseen(
        &self,
        seen: &Snapshot,
        until: Option<&Arc<Snapshot>>,
        position: i64,
        scope: Scope,
        limit: usize,
    ) -> Result<(Arc<Snapshot>, Vec<Row>), Error> {
        assert_eq!(self.world.kind, Kind::Postgres);
        let until = until.map(|until| &**until);
        let read = |database: &Database| database.unseen(seen, until, position, scope, limit);
        let (next, rows) = self.states("events", read).await?;
        Ok((Arc::new(Snapshot::parse(&next).unwrap()), rows))
    }
}

#[async_trait]
impl Ground for Connection {
    fn is_shared(&self) -> bool {
        self.world.kind == Kind::Postgres
    }

    async fn listen(
        &self,
        _: Option<(&str, &Arc<AtomicBool>)>,
    ) -> Result<(Bus, Option<Link>), Error> {
        let side =
            |log: &watch::Sender<u64>| Side::new(log.subscribe(), self.bells.fleeting.subscribe());
        let bus = Bus::between(side(&self.bells.near), side(&self.bells.far));
        Ok((bus, None))
    }

    fn presence(&self, _: &Clock, _: mpsc::UnboundedReceiver<Passing>) -> Option<Presence> {
        None
    }

    async fn fleeting(&self, _: &mut Recent, _: DateTime<Utc>) -> Result<Vec<Fleeting>, Error> {
        self.world.counts("looks at what is fleeting");
        self.states("what is fleeting", |_| vec![]).await
    }

    async fn sessions(&self, _: &[SessionId]) -> Result<Vec<session::Model>, Error> {
        self.states("sessions", |_| vec![]).await
    }

    fn note_session_endings(&self) {}

    async fn prune(&self, keeps: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
        let before = prune::horizon(keeps, now);
        let count = self.world.state().database.prune(before);
        if count > 0 {
            self.world.counts("events forgotten");
            self.world
                .step(&self.name, format_args!("forgets {count} events"));
        }
        Ok(count)
    }
}
