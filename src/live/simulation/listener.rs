//! People who listen: they keep their last cursor, go away, come back on any node, are slow at times, and hold
//! each event against what was promised.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{
    harness::{Harness, Phase, State},
    network::{KEEPS, Node},
    oracle::Hearing,
};
use crate::{
    id::UserId,
    live::{
        cursor::Cursor,
        entry::Entry,
        position::LogPosition,
        resume::{Opening, ResumedStream, Since},
    },
};

/// Events that a client may forget when it crashes before it has kept their cursors.
const KEPT: usize = 300;

/// One device of somebody.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) name: String,
    user: UserId,
    known: Option<Known>,
    is_connected: bool,
}

/// What a device was told.
#[derive(Debug)]
struct Known {
    hearing: Hearing,
    /// Cursors of the last events, with what it takes to forget each.
    steps: VecDeque<(Cursor, (Uuid, Option<usize>))>,
    /// The cursor before all of these.
    before: Cursor,
}

impl Known {
    fn new(user: UserId, start: Cursor) -> Self {
        Self {
            hearing: Hearing::new(user, start.place.clone()),
            steps: VecDeque::new(),
            before: start,
        }
    }

    fn cursor(&self) -> &Cursor {
        self.steps.back().map_or(&self.before, |(cursor, _)| cursor)
    }

    fn keeps(&mut self, cursor: Cursor, step: (Uuid, Option<usize>)) {
        self.steps.push_back((cursor, step));
        if self.steps.len() > KEPT
            && let Some((cursor, _)) = self.steps.pop_front()
        {
            self.before = cursor;
        }
    }

    fn forgets(&mut self, count: usize) {
        for _ in 0..count {
            if let Some((_, step)) = self.steps.pop_back() {
                self.hearing.forgets(step);
            }
        }
    }
}

impl Listener {
    pub(super) fn new(name: &str, device: usize, user: UserId) -> Self {
        Self {
            name: format!("{name} on device {device}"),
            user,
            known: None,
            is_connected: false,
        }
    }
}

impl State {
    /// Whether everybody is connected and lacks nothing; else, who lacks what.
    pub(super) fn is_kept(&self) -> Result<(), (String, String)> {
        for listener in &self.listeners {
            let outcome = match &listener.known {
                Some(known) if listener.is_connected => self.promise.is_kept(&known.hearing),
                _ => Err("cannot connect".to_owned()),
            };
            outcome.map_err(|what| (listener.name.clone(), what))?;
        }
        Ok(())
    }
}

/// A device at work.
pub(super) struct Device {
    harness: Arc<Harness>,
    number: usize,
    name: String,
    user: UserId,
}

impl Device {
    pub(super) fn new(harness: &Arc<Harness>, number: usize) -> Self {
        let state = harness.state();
        let listener = &state.listeners[number];
        Self {
            harness: Arc::clone(harness),
            number,
            name: listener.name.clone(),
            user: listener.user,
        }
    }

    /// Listens for ever, on one node after the other, unless a promise is broken.
    pub(super) async fn listens(self) {
        loop {
            if let Err(broken) = self.connects().await {
                return self.harness.fails(&self.name, &broken);
            }
            self.with(|listener| listener.is_connected = false);
            let forgets = if self.harness.once_in(4) {
                0..KEPT
            } else {
                0..1
            };
            let forgets = self.harness.number(forgets);
            self.with(|listener| {
                if let Some(known) = &mut listener.known {
                    known.forgets(forgets);
                }
            });
            self.step(format_args!("is away and forgets {forgets} events"));
            let pause = match (self.harness.phase(), self.harness.number(0..8)) {
                (Phase::Calm, _) => 0..200,
                (_, 0) => 2000..12_000,
                _ => 0..1500,
            };
            self.harness.pause(pause).await;
            while self.harness.phase() == Phase::Night {
                self.harness.pause(500..1000).await;
            }
        }
    }

    /// One connection, until it is cut.
    async fn connects(&self) -> Result<(), String> {
        let harness = &self.harness;
        let (at, node) = harness.some_node();
        let since = self.since(&node)?;
        let (asked, asked_at) = (harness.state().promise.moment(), harness.clock.now());
        let following = tokio::select! {
            biased;
            () = node.killed.cancelled() => return Ok(()),
            following = node.hub.follow(self.user, since.clone(), None) => following,
        };
        let Ok(following) = following else {
            self.step(format_args!("is refused by node {at}"));
            return Ok(());
        };
        let opening = following.opening();
        self.step(format_args!("begins on node {at}: {opening:?}"));
        self.opens(&following, &since, asked_at)?;
        let stood = harness.state().promise.moment();
        self.with(|listener| {
            listener.is_connected = true;
            if let Some(known) = &mut listener.known {
                known.hearing.connects(asked, stood);
            }
        });
        self.hears(following, &node).await
    }

    /// From where to go on: after the cursor that was kept, sealed and opened as between clients and servers. At
    /// first, from now, or from what a node had read when this device loaded all that it shows.
    fn since(&self, node: &Node) -> Result<Since, String> {
        let keys = &self.harness.keys;
        let kept = self.with(|listener| {
            let known = listener.known.as_ref();
            known.map(|known| known.cursor().clone())
        });
        let kept = match kept {
            Some(kept) => kept,
            None if self.harness.once_in(2) => return Ok(Since::Now),
            None => match node.hub.reached() {
                Some(reached) => {
                    let known = Known::new(self.user, reached.clone());
                    self.with(|listener| listener.known = Some(known));
                    reached
                }
                None => return Ok(Since::Now),
            },
        };
        if self.harness.once_in(80) {
            let &(_, other) = self.harness.one_of(&self.harness.people);
            let text = kept.seal(keys, other);
            let opened = Cursor::open(keys, self.user, &text);
            return match opened {
                Some(_) if other != self.user => Err("opens a stranger's cursor".to_owned()),
                opened => Ok(opened.map_or(Since::Unknown, Since::Cursor)),
            };
        }
        let opened = Cursor::open(keys, self.user, &kept.seal(keys, self.user));
        match opened {
            Some(opened) if opened.place == kept.place => Ok(Since::Cursor(opened)),
            _ => Err(format!("cannot open their cursor {kept:?}")),
        }
    }

    /// Whether the stream began as it had to.
    fn opens(
        &self,
        following: &ResumedStream,
        since: &Since,
        asked_at: DateTime<Utc>,
    ) -> Result<(), String> {
        let keeps = TimeDelta::from_std(KEEPS).unwrap();
        let opening = following.opening();
        let start = following.start().clone();
        let is_right = match (since, opening) {
            (Since::Now, Opening::Started) | (Since::Unknown, Opening::Reset) => true,
            (Since::Cursor(cursor), Opening::Resumed) => {
                *cursor == start && cursor.at + keeps >= asked_at
            }
            (Since::Cursor(cursor), Opening::Reset) => cursor.at + keeps < self.harness.clock.now(),
            _ => false,
        };
        if !is_right {
            return Err(format!("asks for {since:?} and is told {opening:?}"));
        }
        if opening == Opening::Resumed {
            self.harness.counts("streams resumed");
            if matches!(start.place, LogPosition::Inside { .. }) {
                self.harness.counts("streams resumed inside a batch");
            }
        } else {
            self.harness.counts(match opening {
                Opening::Reset => "streams reset",
                _ => "streams started",
            });
            let known = Known::new(self.user, start);
            self.with(|listener| listener.known = Some(known));
        }
        Ok(())
    }

    async fn hears(&self, mut following: ResumedStream, node: &Node) -> Result<(), String> {
        let harness = &self.harness;
        let slowness = match harness.number(0..12) {
            0 => 2..40,
            1..6 => 0..3,
            _ => 0..1,
        };
        let mut leaves_at = self.leaves_at();
        loop {
            let heard = tokio::select! {
                biased;
                () = node.killed.cancelled() => None,
                () = sleep_until(leaves_at) => {
                    if harness.phase() != Phase::Calm && harness.once_in(3) {
                        return Ok(());
                    }
                    leaves_at = self.leaves_at();
                    continue;
                }
                heard = following.next() => heard,
            };
            match heard {
                Some(Ok(entry)) => self.takes(&entry)?,
                Some(Err(error)) => {
                    let is_slow = error.to_string().contains("Events come faster");
                    harness.counts(if is_slow {
                        "listeners fell behind"
                    } else {
                        "replays failed"
                    });
                    return Ok(());
                }
                None => return Ok(()),
            }
            if harness.phase() != Phase::Calm {
                let stalls = harness.once_in(1000);
                let pause = if stalls { 2000..9000 } else { slowness.clone() };
                if pause.end > 1 {
                    harness.pause(pause).await;
                }
            }
        }
    }

    fn takes(&self, entry: &Entry) -> Result<(), String> {
        let outcome = {
            let state = &mut *self.harness.state();
            match &mut state.listeners[self.number].known {
                Some(known) => {
                    let step = state.promise.hears(&mut known.hearing, entry);
                    step.map(|step| known.keeps(Cursor::after(entry), step))
                }
                None => Err("hears before the stream is open".to_owned()),
            }
        };
        self.step(format_args!("hears {}", entry.number));
        self.harness.counts("events heard");
        outcome.map_err(|what| format!("hears {entry:?}, which {what}"))
    }

    fn leaves_at(&self) -> Instant {
        let millis = u64::try_from(self.harness.number(100..4000)).unwrap();
        Instant::now() + Duration::from_millis(millis)
    }

    fn step(&self, does: fmt::Arguments<'_>) {
        self.harness.step(&self.name, does);
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Listener) -> T) -> T {
        ask(&mut self.harness.state().listeners[self.number])
    }
}
