//! The sizes of the measurement.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    pub(crate) users: usize,
    pub(crate) conversations: usize,
    pub(crate) messages: usize,
    pub(crate) rounds: usize,
    /// People in the largest conversation of the workload of ordinary sizes.
    pub(crate) largest: usize,
    /// How long they write before they read.
    pub(crate) write: Duration,
    /// How long each operation runs in a round.
    pub(crate) slot: Duration,
    /// Unread messages in each conversation, one number per reader.
    pub(crate) unread: [usize; 3],
    /// How often the server is started to measure the time to its first response.
    pub(crate) starts: usize,
    /// Listeners of one conversation, ascending.
    pub(crate) subscribers: &'static [usize],
    /// Messages at a low rate, to measure latency.
    pub(crate) low_rate: usize,
    /// Messages at the highest rate, to measure cost.
    pub(crate) burst: usize,
    /// Messages that a resuming client has missed.
    pub(crate) missed: usize,
    /// Seconds with Redis, without it, and with it again.
    pub(crate) outage: [u64; 3],
    /// Subscribers who receive nothing.
    pub(crate) idle: usize,
    /// How long they stay idle.
    pub(crate) silence: Duration,
}

/// Takes seconds. Shows that everything can be measured; its figures are meaningless.
pub(crate) const SMOKE: Scale = Scale {
    name: "smoke",
    users: 30,
    conversations: 6,
    messages: 600,
    rounds: 1,
    largest: 20,
    write: Duration::from_millis(200),
    slot: Duration::from_millis(100),
    unread: [0, 5, 20],
    starts: 1,
    subscribers: &[1, 20],
    low_rate: 3,
    burst: 5,
    missed: 100,
    outage: [1, 2, 2],
    idle: 20,
    silence: Duration::from_secs(1),
};

/// Takes a few minutes.
pub(crate) const QUICK: Scale = Scale {
    name: "quick",
    users: 300,
    conversations: 60,
    messages: 30_000,
    rounds: 3,
    largest: 500,
    write: Duration::from_secs(10),
    slot: Duration::from_millis(600),
    unread: [0, 100, 1000],
    starts: 5,
    subscribers: &[1, 100, 1000],
    low_rate: 20,
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
    write: Duration::from_mins(1),
    slot: Duration::from_secs(5),
    low_rate: 50,
    burst: 200,
    starts: 11,
    outage: [3, 10, 7],
    idle: 10_000,
    silence: Duration::from_secs(30),
    ..QUICK
};
