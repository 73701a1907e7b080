//! The shared state of a simulation: the random numbers of one seed, a clock that advances only when no task can run,
//! and a trace of the steps.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, TimeDelta};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    client::ClientState,
    database::{Database, Kind, Stored, Tx},
    network::Node,
    oracle::Oracle,
};
use crate::{
    auth::token::Keys,
    clock::Clock,
    id::{ConversationId, UserId},
};

/// Steps that are printed when a simulation fails.
const TRACE_LENGTH: usize = 80;

/// A phase of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Writers write, clients connect and disconnect, and faults are injected.
    Active,
    /// Open transactions end, and there are no faults except lost wake-ups.
    Quiet,
    /// Clients that disconnect stay away for hours.
    Idle,
}

/// A simulation.
#[derive(Debug)]
pub(super) struct Harness {
    pub(super) kind: Kind,
    pub(super) clock: Clock,
    pub(super) keys: Keys,
    pub(super) users: Vec<(&'static str, UserId)>,
    pub(super) conversations: Vec<ConversationId>,
    pub(super) tasks: TaskTracker,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) database: Database,
    pub(super) oracle: Oracle,
    pub(super) nodes: Vec<Node>,
    pub(super) clients: Vec<ClientState>,
    /// The last row of the log when a lookup failed. Instead of an earlier event, a stream may have been reset.
    pub(super) lookup_failed_at: i64,
    pub(super) phase: Phase,
    /// Whether there is a commit during every statement.
    pub(super) is_busy: bool,
    pub(super) steps: usize,
    /// How often each kind of event happened.
    pub(super) counts: BTreeMap<&'static str, u64>,
    random: SmallRng,
    trace: DefaultHasher,
    last_steps: VecDeque<String>,
    failure: Option<String>,
    /// The time since the start.
    pub(super) clock_at: Duration,
}

impl Harness {
    pub(super) fn new(kind: Kind, seed: u64) -> Arc<Self> {
        let names = ["Ann", "Bob", "Cem", "Dora", "Eva", "Finn"];
        let users = (1..).zip(names);
        let users: Vec<_> = users
            .map(|(number, name)| (name, UserId(Uuid::from_u128(number))))
            .collect();
        let conversations = (101..105).map(|number| ConversationId(Uuid::from_u128(number)));
        let conversations: Vec<_> = conversations.collect();
        let (mut database, mut oracle) = (Database::new(kind), Oracle::default());
        for (index, conversation) in conversations.iter().enumerate() {
            for (_, user) in users.iter().skip(index).take(3) {
                database.participants.insert((*user, *conversation));
                oracle.add_member(*user, *conversation);
            }
        }
        Arc::new(Self {
            kind,
            clock: Clock::fixed(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
            keys: Keys::new(&Keys::from_text("a simulation").unwrap(), Uuid::nil()).unwrap(),
            users,
            conversations,
            tasks: TaskTracker::new(),
            began: Instant::now(),
            state: Mutex::new(State {
                database,
                oracle,
                nodes: vec![],
                clients: vec![],
                lookup_failed_at: 0,
                phase: Phase::Active,
                is_busy: false,
                steps: 0,
                counts: BTreeMap::new(),
                random: SmallRng::seed_from_u64(seed),
                trace: DefaultHasher::new(),
                last_steps: VecDeque::new(),
                failure: None,
                clock_at: Duration::ZERO,
            }),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        let passed = self.began.elapsed();
        let step = passed.saturating_sub(state.clock_at);
        self.clock.advance(TimeDelta::from_std(step).unwrap());
        state.clock_at = passed;
        state
    }

    /// Records a step of one of the tasks.
    pub(super) fn step(&self, actor: &str, action: fmt::Arguments<'_>) {
        let mut state = self.state();
        let text = format!("{:>9} ms  {actor} {action}", state.clock_at.as_millis());
        text.hash(&mut state.trace);
        state.steps += 1;
        if state.last_steps.len() == TRACE_LENGTH {
            state.last_steps.pop_front();
        }
        state.last_steps.push_back(text);
    }

    pub(super) fn count(&self, name: &'static str) {
        *self.state().counts.entry(name).or_default() += 1;
    }

    /// Records the first failure; later ones may be consequences of it.
    pub(super) fn fail(&self, actor: &str, problem: &str) {
        let mut state = self.state();
        let last = Vec::from(state.last_steps.clone()).join("\n");
        let failure = format!("{actor} {problem}; the last steps were\n{last}");
        state.failure.get_or_insert(failure);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// A hash of all steps so far.
    pub(super) fn trace(&self) -> u64 {
        self.state().trace.finish()
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    pub(super) fn now(&self) -> Duration {
        self.state().clock_at
    }

    pub(super) fn number(&self, range: Range<usize>) -> usize {
        self.state().random.random_range(range)
    }

    /// True once in so many calls, on average.
    pub(super) fn once_in(&self, times: usize) -> bool {
        self.number(0..times) == 0
    }

    pub(super) fn one_of<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.number(0..all.len())]
    }

    pub(super) fn some_node(&self) -> (usize, Node) {
        let count = self.state().nodes.len();
        let number = self.number(0..count);
        (number, self.state().nodes[number].clone())
    }

    /// Waits for a random number of milliseconds.
    pub(super) async fn pause(&self, millis: Range<usize>) {
        let millis = u64::try_from(self.number(millis)).unwrap();
        sleep(Duration::from_millis(millis)).await;
    }

    pub(super) fn roll_back(&self, tx: &Tx) {
        self.state().database.roll_back(tx);
    }

    /// Commits the transaction and returns the number of its events.
    pub(super) fn commit(&self, tx: Tx) -> usize {
        let mut state = self.state();
        let rows: Vec<Stored> = state.database.commit(tx);
        let count = rows.len();
        state.oracle.commit(rows);
        count
    }
}
