//! How much to measure.

use std::time::Duration;

/// One size of the whole measurement.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    pub(crate) users: usize,
    pub(crate) conversations: usize,
    pub(crate) messages: usize,
    pub(crate) rounds: usize,
    /// How long each operation runs in a round.
    pub(crate) slot: Duration,
    /// How many messages each of the readers has not read, in each of their conversations.
    pub(crate) unread: [usize; 3],
    /// How often the server is started for its time to the first answer.
    pub(crate) starts: usize,
    /// Listeners of one conversation, ascending.
    pub(crate) subscribers: &'static [usize],
    /// Messages at a gentle rate, for how long a delivery takes.
    pub(crate) gentle: usize,
    /// Messages as fast as they can be sent, for what a delivery costs.
    pub(crate) burst: usize,
    /// Events that somebody missed who comes back.
    pub(crate) missed: usize,
    /// Seconds with Redis, without it, and with it again.
    pub(crate) outage: [u64; 3],
    /// Subscribers who hear nothing.
    pub(crate) idle: usize,
    /// For how long.
    pub(crate) silence: Duration,
}

/// Seconds in all: shows that everything can be measured, and says nothing about speed.
pub(crate) const SMOKE: Scale = Scale {
    name: "smoke",
    users: 30,
    conversations: 6,
    messages: 600,
    rounds: 1,
    slot: Duration::from_millis(100),
    unread: [0, 5, 20],
    starts: 1,
    subscribers: &[1, 20],
    gentle: 3,
    burst: 5,
    missed: 100,
    outage: [1, 2, 2],
    idle: 20,
    silence: Duration::from_secs(1),
};

/// A few minutes' worth.
pub(crate) const QUICK: Scale = Scale {
    name: "quick",
    users: 300,
    conversations: 60,
    messages: 30_000,
    rounds: 3,
    slot: Duration::from_millis(600),
    unread: [0, 100, 1000],
    starts: 5,
    subscribers: &[1, 100, 1000],
    gentle: 20,
    burst: 50,
    missed: 10_000,
    outage: [2, 10, 4],
    idle: 1000,
    silence: Duration::from_secs(5),
};

/// The workload of the goals.
pub(crate) const FULL: Scale = Scale {
    name: "full",
    users: 1000,
    conversations: 200,
    messages: 200_000,
    rounds: 7,
    slot: Duration::from_secs(5),
    gentle: 50,
    burst: 200,
    starts: 11,
    outage: [3, 10, 7],
    idle: 10_000,
    silence: Duration::from_secs(30),
    ..QUICK
};
