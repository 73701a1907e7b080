//! The task that reads the log and dispatches its events to the subscribers. There is one per node.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

use super::{
    state::HubState,
    subscribers::{Subscriber, Subscribers},
    subscription::{Joined, Request},
};
use crate::{
    db::with_timeout,
    error::Error,
    id::UserId,
    live::{
        bus::{Bus, Wakeup},
        cursor::EventCursor,
        entry::{Entry, EntryCache},
        ephemeral::SeenEphemeral,
        log::Change,
        log_reader::{self, Log, Scope},
        position::LogPosition,
        retention,
    },
};

/// How often the log is read without a wake-up.
const SWEEP: Duration = Duration::from_secs(1);
/// How often every watched session is checked.
const SESSION_SWEEP: Duration = Duration::from_secs(30);
/// Events read by one statement.
const BATCH: usize = 500;
/// Subscribers added by one statement.
const MAX_JOINS: usize = 500;

/// How long the dispatcher waits for payloads to be rendered in advance.
const PRERENDER_TIMEOUT: Duration = Duration::from_millis(50);
/// Payloads that are rendered in advance of one batch.
const MAX_PRERENDERS: usize = 64;

type Joiner = (Box<Subscriber>, oneshot::Sender<Result<Joined, Error>>);

/// The streams that receive the changed profiles besides the users' own.
async fn contacts(
    log: &dyn Log,
    entries: &[Entry],
) -> Result<HashMap<UserId, BTreeSet<Uuid>>, Error> {
    let mut contacts = HashMap::new();
    for entry in entries {
        if let Some(Change::UserChanged { user }) = entry.change
            && !contacts.contains_key(&user)
        {
            contacts.insert(user, with_timeout(log.contacts(user)).await?);
        }
    }
    Ok(contacts)
}

/// The streams whose subscribers receive an event: for most events only its own.
fn target_streams(entry: &Entry, contacts: &HashMap<UserId, BTreeSet<Uuid>>) -> Vec<Uuid> {
    let mut streams = vec![entry.stream];
    match &entry.change {
        Some(Change::UserChanged { user }) => {
            streams.extend(contacts.get(user).into_iter().flatten());
        }
        Some(Change::ReadPositionChanged {
            conversation,
            is_shared: true,
            ..
        }) => streams.push(conversation.0),
        Some(Change::NotificationsAdded { to }) => {
            streams = to.keys().map(|user| user.0).collect();
        }
        _ => {}
    }
    streams
}

/// Reads the log from the position at which the node started.
pub(super) struct Dispatcher {
    hub: Arc<HubState>,
    inbox: mpsc::UnboundedReceiver<Request>,
    bus: Bus,
    position: LogPosition,
    subscribers: Subscribers,
    seen_ephemeral: SeenEphemeral,
    checks_ephemeral: bool,
    joiners: Vec<Joiner>,
    checks_sessions: bool,
    sessions_checked_at: Instant,
    pruned_at: Option<Instant>,
    is_failing: bool,
}

impl Dispatcher {
    /// A dispatcher at the end of the log.
    pub(super) async fn new(hub: &Arc<HubState>) -> Result<Self, Error> {
        // Listen before the read, so that a commit during the next statement causes another read.
        let redis = hub.redis_url.as_deref().map(|url| (url, &hub.is_linked));
        let (bus, link) = hub.backend.listen(redis).await?;
        let position = hub.backend.end().await?;
        let Some(inbox) = hub.take_inbox() else {
            return Err(Error::internal("the log is already being read"));
        };
        let (signals, received) = mpsc::unbounded_channel();
        let presence = hub.backend.presence(&hub.clock, received);
        let dispatcher = Self {
            hub: Arc::clone(hub),
            inbox,
            bus,
            position,
            subscribers: Subscribers::new(signals),
            seen_ephemeral: SeenEphemeral::default(),
            checks_ephemeral: true,
            joiners: vec![],
            checks_sessions: false,
            sessions_checked_at: Instant::now(),
            pruned_at: None,
            is_failing: false,
        };
        dispatcher.publish();
        if let Some(presence) = presence {
            hub.tasks.spawn(presence.run(hub.shutdown.clone()));
        }
        if let Some(link) = link {
            hub.tasks.spawn(link.run(hub.shutdown.clone()));
        }
        Ok(dispatcher)
    }

    /// Runs until the server stops. Subscriptions end with it.
    pub(super) async fn run(mut self) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = self.hub.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                // Wake-ups of other nodes may be lost. Before the bus, because a busy log wakes it up all the time.
                _ = sweep.tick() => self.checks_ephemeral |= self.hub.backend.is_shared(),
                Some(request) = self.inbox.recv() => self.receive(request),
                wakeup = self.bus.notified() => self.checks_ephemeral |= wakeup == Wakeup::Ephemeral,
            }
            while let Ok(request) = self.inbox.try_recv() {
                self.receive(request);
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                outcome = self.turn() => self.report(outcome),
            }
        }
    }

    fn receive(&mut self, request: Request) {
        match request {
            Request::Join(subscriber, reply) => self.joiners.push((subscriber, reply)),
            Request::Leave(id) => self.subscribers.remove(id),
            Request::CheckSessions => self.checks_sessions = true,
        }
    }

    /// Logs the first failure of a series, and the first success after it.
    fn report(&mut self, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) if self.is_failing => tracing::info!("the event log can be read again"),
            Ok(()) => {}
            Err(error) => {
                if !self.is_failing {
                    tracing::error!(%error, "the event log cannot be read; trying again");
                }
                self.is_failing = true;
                for (_, reply) in self.joiners.drain(..) {
                    // Fails only when the subscriber no longer waits.
                    let _ = reply.send(Err(error.clone()));
                }
                return;
            }
        }
        self.is_failing = false;
    }

    async fn turn(&mut self) -> Result<(), Error> {
        if self.joiners.is_empty() {
            self.advance(None).await?;
        }
        while !self.joiners.is_empty() {
            self.admit().await?;
        }
        self.publish();
        self.check_ephemeral().await?;
        let is_due = self.sessions_checked_at.elapsed() >= SESSION_SWEEP;
        if is_due || self.checks_sessions {
            let hub = &self.hub;
            let now = hub.clock.now();
            with_timeout(hub.sessions.check(&*hub.backend, now, is_due)).await?;
            self.checks_sessions = false;
            if is_due {
                self.sessions_checked_at = Instant::now();
            }
        }
        self.prune();
        Ok(())
    }

    /// Reads and dispatches the events up to `until`, or to the end of the log.
    async fn advance(&mut self, until: Option<&LogPosition>) -> Result<(), Error> {
        loop {
            let log: &dyn Log = &*self.hub.backend;
            let reading = log_reader::after(log, &self.position, until, Scope::Everything, BATCH);
            let batch = with_timeout(reading).await?;
            let contacts = contacts(log, &batch.entries).await?;
            let with_streams = |entry| {
                let streams = target_streams(&entry, &contacts);
                (Arc::new(entry), streams)
            };
            let entries: Vec<_> = batch.entries.into_iter().map(with_streams).collect();
            self.prerender(&entries).await;
            // Nothing below can fail: every event that was read is dispatched.
            self.position = batch.position;
            for (entry, streams) in entries {
                match entry.change {
                    Some(Change::SessionEnded { session, reason }) => {
                        self.hub.backend.note_session_endings();
                        self.hub.sessions.end(session, reason);
                    }
                    Some(
                        Change::ConversationLeft { .. }
                        | Change::MessageDeleted { .. }
                        | Change::UserChanged { .. },
                    ) => {
                        self.hub.payload_cache.bump_access_epoch();
                    }
                    _ => {}
                }
                self.subscribers.dispatch(&entry, &streams);
            }
            if batch.is_last {
                return Ok(());
            }
        }
    }

    /// Renders the payloads that many subscribers share, so that these are not woken up only to wait for one. What is
    /// not rendered in time, the first subscriber renders.
    async fn prerender(&self, entries: &[(Arc<Entry>, Vec<Uuid>)]) {
        let of = |(entry, streams): &(_, Vec<_>)| self.subscribers.prerenders(entry, streams);
        let renders: Vec<_> = entries.iter().flat_map(of).take(MAX_PRERENDERS).collect();
        if !renders.is_empty() {
            let rendering = AssertUnwindSafe(join_all(renders)).catch_unwind();
            let _ = timeout(PRERENDER_TIMEOUT, rendering).await;
        }
    }

    /// Dispatches new ephemeral events to the current subscribers.
    async fn check_ephemeral(&mut self) -> Result<(), Error> {
        if !self.checks_ephemeral {
            return Ok(());
        }
        let mut found = vec![];
        if !self.subscribers.is_empty() {
            let now = self.hub.clock.now();
            let loading = self.hub.backend.ephemeral(&mut self.seen_ephemeral, now);
            found = with_timeout(loading).await?;
        }
        // Only after the statement has succeeded: a failed check is repeated.
        self.checks_ephemeral = false;
        for ephemeral in found {
            let entry = Entry {
                stream: ephemeral.streams.first().copied().unwrap_or_default(),
                number: 0,
                at: ephemeral.at,
                change: Some(ephemeral.change),
                position: self.position.clone(),
                cache: EntryCache::default(),
            };
            self.subscribers
                .dispatch_ephemeral(entry, &ephemeral.streams);
        }
        Ok(())
    }

    /// Adds waiting subscribers at the position at which their memberships were read. From there on the events
    /// themselves keep the memberships current.
    async fn admit(&mut self) -> Result<(), Error> {
        let count = self.joiners.len().min(MAX_JOINS);
        let joiners = self.joiners.iter().take(count);
        let mut users: Vec<_> = joiners.map(|(subscriber, _)| subscriber.user).collect();
        users.sort_unstable();
        users.dedup();
        let (memberships, position) = with_timeout(self.hub.backend.memberships(&users)).await?;
        self.advance(Some(&position)).await?;
        for (subscriber, reply) in self.joiners.drain(..count) {
            let user = subscriber.user;
            let first = memberships.partition_point(|(member, _)| *member < user);
            let conversations: HashSet<_> = memberships
                .iter()
                .skip(first)
                .take_while(|(member, _)| *member == user)
                .map(|(_, conversation)| *conversation)
                .collect();
            let id = self
                .subscribers
                .add(*subscriber, conversations.iter().copied());
            let joined = Joined {
                id,
                position: position.clone(),
                conversations,
            };
            if reply.send(Ok(joined)).is_err() {
                self.subscribers.remove(id);
            }
        }
        Ok(())
    }

    /// Deletes old events from time to time, in a separate task.
    fn prune(&mut self) {
        if self
            .pruned_at
            .is_some_and(|at| at.elapsed() < retention::INTERVAL)
        {
            return;
        }
        self.pruned_at = Some(Instant::now());
        let hub = Arc::clone(&self.hub);
        self.hub.tasks.spawn(async move {
            let now = hub.clock.now();
            match hub.backend.prune(hub.retention, now).await {
                Ok(0) => {}
                Ok(events) => tracing::info!(events, "deleted events that are too old to replay"),
                Err(error) => tracing::warn!(%error, "old events could not be deleted"),
            }
        });
    }

    fn publish(&self) {
        let at = self.hub.clock.now();
        let position = self.position.clone();
        self.hub
            .reached
            .send_replace(Some(EventCursor { position, at }));
    }
}
