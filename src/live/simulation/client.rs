//! The clients: each stores its last cursor, disconnects, reconnects to any node, is slow at times, and checks every
//! event with the oracle.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{
    harness::{Harness, Phase, State},
    network::{Node, RETENTION},
    oracle::Received,
};
use crate::{
    id::UserId,
    live::{
        cursor::EventCursor,
        entry::Entry,
        log::Change,
        position::LogPosition,
        resume::{Opening, ResumedStream, Since},
    },
};

/// Events whose cursors a client may not have stored when it crashes.
const MAX_UNSTORED: usize = 300;

/// The state of one client.
#[derive(Debug)]
pub(super) struct ClientState {
    pub(super) name: String,
    user: UserId,
    progress: Option<Progress>,
    is_connected: bool,
}

/// What a client has received.
#[derive(Debug)]
struct Progress {
    received: Received,
    /// The cursors of the last events, with the value that undoes each.
    events: VecDeque<(EventCursor, (Uuid, Option<usize>))>,
    /// The cursor before these.
    before: EventCursor,
}

impl Progress {
    fn new(user: UserId, start: EventCursor) -> Self {
        Self {
            received: Received::new(user, start.position.clone()),
            events: VecDeque::new(),
            before: start,
        }
    }

    /// The client loads its state again, which includes everything up to the cursor.
    fn reset(&mut self, cursor: EventCursor) {
        self.received.reset(cursor.position.clone());
        self.events.clear();
        self.before = cursor;
    }

    fn cursor(&self) -> &EventCursor {
        self.events
            .back()
            .map_or(&self.before, |(cursor, _)| cursor)
    }

    fn store(&mut self, cursor: EventCursor, undo: (Uuid, Option<usize>)) {
        self.events.push_back((cursor, undo));
        if self.events.len() > MAX_UNSTORED
            && let Some((cursor, _)) = self.events.pop_front()
        {
            self.before = cursor;
        }
    }

    fn lose(&mut self, count: usize) {
        for _ in 0..count {
            if let Some((_, undo)) = self.events.pop_back() {
                self.received.undo(undo);
            }
        }
    }
}

impl ClientState {
    pub(super) fn new(name: &str, device: usize, user: UserId) -> Self {
        Self {
            name: format!("{name} on device {device}"),
            user,
            progress: None,
            is_connected: false,
        }
    }
}

impl State {
    /// Checks that every client is connected and has received everything. The error names a client and its problem.
    pub(super) fn check_clients(&self) -> Result<(), (String, String)> {
        for client in &self.clients {
            let outcome = match &client.progress {
                Some(progress) if client.is_connected => {
                    self.oracle.check_all_received(&progress.received)
                }
                _ => Err("cannot connect".to_owned()),
            };
            outcome.map_err(|problem| (client.name.clone(), problem))?;
        }
        Ok(())
    }
}

/// The task of one client.
pub(super) struct Client {
    harness: Arc<Harness>,
    number: usize,
    name: String,
    user: UserId,
}

impl Client {
    pub(super) fn new(harness: &Arc<Harness>, number: usize) -> Self {
        let state = harness.state();
        let client = &state.clients[number];
        Self {
            harness: Arc::clone(harness),
            number,
            name: client.name.clone(),
            user: client.user,
        }
    }

    /// Connects to one node after the other, until a check fails.
    pub(super) async fn run(self) {
        loop {
            if let Err(problem) = self.connect().await {
                return self.harness.fail(&self.name, &problem);
            }
            self.with(|client| client.is_connected = false);
            let lost = if self.harness.once_in(4) {
                0..MAX_UNSTORED
            } else {
                0..1
            };
            let lost = self.harness.number(lost);
            self.with(|client| {
                if let Some(progress) = &mut client.progress {
                    progress.lose(lost);
                }
            });
            self.step(format_args!("disconnects and loses {lost} events"));
            let pause = match (self.harness.phase(), self.harness.number(0..8)) {
                (Phase::Quiet, _) => 0..200,
                (_, 0) => 2000..12_000,
                _ => 0..1500,
            };
            self.harness.pause(pause).await;
            while self.harness.phase() == Phase::Idle {
                self.harness.pause(500..1000).await;
            }
        }
    }

    /// One connection, until it ends.
    async fn connect(&self) -> Result<(), String> {
        let harness = &self.harness;
        let (number, node) = harness.some_node();
        let since = self.since(&node)?;
        let (requested, requested_at) = (harness.state().oracle.commits(), harness.clock.now());
        let stream = tokio::select! {
            biased;
            () = node.killed.cancelled() => return Ok(()),
            stream = node.hub.follow(self.user, since.clone(), None) => stream,
        };
        let Ok(stream) = stream else {
            self.step(format_args!("is rejected by node {number}"));
            return Ok(());
        };
        let opening = stream.opening();
        self.step(format_args!("connects to node {number}: {opening:?}"));
        self.check_opening(&stream, &since, requested_at)?;
        let opened = harness.state().oracle.commits();
        self.with(|client| {
            client.is_connected = true;
            if let Some(progress) = &mut client.progress {
                progress.received.connect(requested, opened);
            }
        });
        self.receive(stream, &node).await
    }

    /// Where to resume: after the stored cursor, encoded and decoded as between client and server. The first connection
    /// begins now, or at the `eventCursor` with which a client has loaded its state.
    fn since(&self, node: &Node) -> Result<Since, String> {
        let keys = &self.harness.keys;
        let cursor = self.with(|client| {
            let progress = client.progress.as_ref();
            progress.map(|progress| progress.cursor().clone())
        });
        let cursor = match cursor {
            Some(cursor) => cursor,
            None if self.harness.once_in(2) => return Ok(Since::Now),
            None => match node.hub.reached() {
                Some(reached) => {
                    let progress = Progress::new(self.user, reached.clone());
                    self.with(|client| client.progress = Some(progress));
                    reached
                }
                None => return Ok(Since::Now),
            },
        };
        if self.harness.once_in(80) {
            let &(_, other) = self.harness.one_of(&self.harness.users);
            let text = cursor.seal(keys, other);
            let opened = EventCursor::open(keys, self.user, &text);
            return match opened {
                Some(_) if other != self.user => {
                    Err("can use the cursor of another user".to_owned())
                }
                opened => Ok(opened.map_or(Since::Unknown, Since::Cursor)),
            };
        }
        let opened = EventCursor::open(keys, self.user, &cursor.seal(keys, self.user));
        match opened {
            Some(opened) if opened.position == cursor.position => Ok(Since::Cursor(opened)),
            _ => Err(format!("cannot use their cursor {cursor:?}")),
        }
    }

    /// Checks how the stream began.
    fn check_opening(
        &self,
        stream: &ResumedStream,
        since: &Since,
        requested_at: DateTime<Utc>,
    ) -> Result<(), String> {
        let retention = TimeDelta::from_std(RETENTION).unwrap();
        let opening = stream.opening();
        let start = stream.start().clone();
        let is_expected = match (since, opening) {
            (Since::Now, Opening::Started) | (Since::Unknown, Opening::Reset) => true,
            (Since::Cursor(cursor), Opening::Resumed) => {
                *cursor == start && cursor.at + retention >= requested_at
            }
            (Since::Cursor(cursor), Opening::Reset) => {
                let state = self.harness.state();
                cursor.at + retention < self.harness.clock.now()
                    || state.oracle.is_trimmed_after(self.user, &cursor.position)
            }
            _ => false,
        };
        if !is_expected {
            return Err(format!("requests {since:?} and gets {opening:?}"));
        }
        if opening == Opening::Resumed {
            self.harness.count("streams resumed");
            if matches!(start.position, LogPosition::Inside { .. }) {
                self.harness.count("streams resumed inside a batch");
            }
        } else {
            self.harness.count(match opening {
                Opening::Reset => "streams reset",
                _ => "streams started",
            });
            let progress = Progress::new(self.user, start);
            self.with(|client| client.progress = Some(progress));
        }
        Ok(())
    }

    async fn receive(&self, mut stream: ResumedStream, node: &Node) -> Result<(), String> {
        let harness = &self.harness;
        let delay = match harness.number(0..12) {
            0 => 2..40,
            1..6 => 0..3,
            _ => 0..1,
        };
        let mut disconnects_at = self.disconnects_at();
        loop {
            let next = tokio::select! {
                biased;
                () = node.killed.cancelled() => None,
                () = sleep_until(disconnects_at) => {
                    if harness.phase() != Phase::Quiet && harness.once_in(3) {
                        return Ok(());
                    }
                    disconnects_at = self.disconnects_at();
                    continue;
                }
                next = stream.next() => next,
            };
            match next {
                Some(Ok(entry)) => self.check(&entry)?,
                Some(Err(error)) => {
                    let is_slow = error.to_string().contains("Events arrive faster");
                    harness.count(if is_slow {
                        "clients fell behind"
                    } else {
                        "replays failed"
                    });
                    return Ok(());
                }
                None => return Ok(()),
            }
            if harness.phase() != Phase::Quiet {
                let stalls = harness.once_in(1000);
                let pause = if stalls { 2000..9000 } else { delay.clone() };
                if pause.end > 1 {
                    harness.pause(pause).await;
                }
            }
        }
    }

    fn check(&self, entry: &Entry) -> Result<(), String> {
        let outcome = {
            let state = &mut *self.harness.state();
            match &mut state.clients[self.number].progress {
                Some(progress) if entry.change == Some(Change::StreamReset) => {
                    let (received, failed_at) = (&progress.received, state.lookup_failed_at);
                    let reason = state.oracle.check_reset(received, entry, failed_at);
                    progress.reset(progress.cursor().advanced_to(entry));
                    reason.map(|reason| *state.counts.entry(reason).or_default() += 1)
                }
                Some(progress) => {
                    let undo = state.oracle.receive(&mut progress.received, entry);
                    let cursor = progress.cursor().advanced_to(entry);
                    undo.map(|undo| progress.store(cursor, undo))
                }
                None => Err("precedes the opening of the stream".to_owned()),
            }
        };
        self.step(format_args!("receives {}", entry.number));
        self.harness.count("events received");
        outcome.map_err(|problem| format!("receives {entry:?}, which {problem}"))
    }

    fn disconnects_at(&self) -> Instant {
        let millis = u64::try_from(self.harness.number(100..4000)).unwrap();
        Instant::now() + Duration::from_millis(millis)
    }

    fn step(&self, action: fmt::Arguments<'_>) {
        self.harness.step(&self.name, action);
    }

    fn with<T>(&self, act: impl FnOnce(&mut ClientState) -> T) -> T {
        act(&mut self.harness.state().clients[self.number])
    }
}
