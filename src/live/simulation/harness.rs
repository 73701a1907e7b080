//! The world: one seed behind everything that happens by chance, a clock that moves only when nobody can act, and
//! the steps that were taken.

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
    database::{Database, Kind, Stored, Tx},
    listener::Listener,
    network::Node,
    oracle::Oracle,
};
use crate::{
    auth::token::Keys,
    clock::Clock,
    id::{ConversationId, UserId},
};

/// Steps told when a simulation fails.
const LAST: usize = 80;

/// What the weather is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// People write, come and go, and things break.
    Storm,
    /// What was begun is ended, and nothing breaks any more but doorbells.
    Calm,
    /// Some go away for long.
    Night,
}

/// A seeded world.
#[derive(Debug)]
pub(super) struct Harness {
    pub(super) kind: Kind,
    pub(super) clock: Clock,
    pub(super) keys: Keys,
    pub(super) people: Vec<(&'static str, UserId)>,
    pub(super) conversations: Vec<ConversationId>,
    pub(super) tasks: TaskTracker,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) database: Database,
    pub(super) promise: Oracle,
    pub(super) nodes: Vec<Node>,
    pub(super) listeners: Vec<Listener>,
    pub(super) phase: Phase,
    /// Somebody commits during every statement.
    pub(super) is_busy: bool,
    pub(super) steps: usize,
    /// What happened how often.
    pub(super) tally: BTreeMap<&'static str, u64>,
    random: SmallRng,
    trace: DefaultHasher,
    last: VecDeque<String>,
    failure: Option<String>,
    /// How long the world has been there.
    pub(super) clock_at: Duration,
}

impl Harness {
    pub(super) fn new(kind: Kind, seed: u64) -> Arc<Self> {
        let names = ["Ann", "Bob", "Cem", "Dora", "Eva", "Finn"];
        let people = (1..).zip(names);
        let people: Vec<_> = people
            .map(|(number, name)| (name, UserId(Uuid::from_u128(number))))
            .collect();
        let conversations = (101..105).map(|number| ConversationId(Uuid::from_u128(number)));
        let conversations: Vec<_> = conversations.collect();
        let (mut database, mut promise) = (Database::new(kind), Oracle::default());
        for (place, conversation) in conversations.iter().enumerate() {
            for (_, user) in people.iter().skip(place).take(3) {
                database.participants.insert((*user, *conversation));
                promise.stays(*user, *conversation);
            }
        }
        Arc::new(Self {
            kind,
            clock: Clock::standing_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
            keys: Keys::new(&Keys::from_text("a simulation").unwrap()).unwrap(),
            people,
            conversations,
            tasks: TaskTracker::new(),
            began: Instant::now(),
            state: Mutex::new(State {
                database,
                promise,
                nodes: vec![],
                listeners: vec![],
                phase: Phase::Storm,
                is_busy: false,
                steps: 0,
                tally: BTreeMap::new(),
                random: SmallRng::seed_from_u64(seed),
                trace: DefaultHasher::new(),
                last: VecDeque::new(),
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

    /// Somebody does something.
    pub(super) fn step(&self, who: &str, does: fmt::Arguments<'_>) {
        let mut state = self.state();
        let text = format!("{:>9} ms  {who} {does}", state.clock_at.as_millis());
        text.hash(&mut state.trace);
        state.steps += 1;
        if state.last.len() == LAST {
            state.last.pop_front();
        }
        state.last.push_back(text);
    }

    pub(super) fn counts(&self, what: &'static str) {
        *self.state().tally.entry(what).or_default() += 1;
    }

    /// A promise was broken. What comes after proves nothing.
    pub(super) fn fails(&self, who: &str, what: &str) {
        let mut state = self.state();
        let last = Vec::from(state.last.clone()).join("\n");
        let failure = format!("{who} {what}; the last steps were\n{last}");
        state.failure.get_or_insert(failure);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// A number that stands for all steps so far.
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

    /// Happens once in so many times.
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

    /// So many milliseconds pass.
    pub(super) async fn pause(&self, millis: Range<usize>) {
        let millis = u64::try_from(self.number(millis)).unwrap();
        sleep(Duration::from_millis(millis)).await;
    }

    pub(super) fn roll_back(&self, tx: &Tx) {
        self.state().database.roll_back(tx);
    }

    /// From here on everybody can see it.
    pub(super) fn commit(&self, tx: Tx) -> usize {
        let mut state = self.state();
        let rows: Vec<Stored> = state.database.commit(tx);
        let count = rows.len();
        state.promise.committed(rows);
        count
    }
}
