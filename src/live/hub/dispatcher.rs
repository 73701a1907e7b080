//! The one task of a node that reads the log.

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
    Shared,
    subscribers::{Subscriber, Subscribers},
};
use crate::{
    db::with_timeout,
    error::Error,
    id::{ConversationId, UserId},
    live::{
        bus::{Bus, Wakeup},
        cursor::Cursor,
        entry::{Entry, EntryCache},
        ephemeral::SeenEphemeral,
        log::Change,
        log_reader::{self, Log, Scope},
        position::LogPosition,
        retention,
    },
};

/// How often the log is looked at although the doorbell was not heard.
const SWEEP: Duration = Duration::from_secs(1);
/// How often every watched session is looked up again.
const SESSION_SWEEP: Duration = Duration::from_secs(30);
/// Events read by one statement.
const BATCH: usize = 500;
/// Subscribers taken in by one statement.
const JOINS: usize = 500;

/// How long the dispatcher waits for payloads to be rendered in advance.
const PRERENDER_TIMEOUT: Duration = Duration::from_millis(50);
/// Payloads that are rendered in advance of one batch.
const MAX_PRERENDERS: usize = 64;

/// What others ask of the reader.
pub(super) enum Request {
    /// Somebody wants to hear their streams.
    Join(Box<Subscriber>, oneshot::Sender<Result<Joined, Error>>),
    /// A subscriber is gone.
    Leave(u64),
    /// Sessions are watched that nobody has looked up.
    CheckSessions,
}

/// A subscriber's beginning.
pub(super) struct Joined {
    pub(super) id: u64,
    pub(super) place: LogPosition,
    pub(super) conversations: HashSet<ConversationId>,
}

type Joiner = (Box<Subscriber>, oneshot::Sender<Result<Joined, Error>>);

/// Who else hears of the profiles that changed.
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

/// The streams whose listeners hear an event: its own, for most.
fn heard_on(entry: &Entry, contacts: &HashMap<UserId, BTreeSet<Uuid>>) -> Vec<Uuid> {
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

/// Reads the log from where it began to now, and on.
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Request>,
    bus: Bus,
    place: LogPosition,
    subscribers: Subscribers,
    recent: SeenEphemeral,
    checks_ephemeral: bool,
    joiners: Vec<Joiner>,
    checks_sessions: bool,
    sessions_checked_at: Instant,
    pruned_at: Option<Instant>,
    is_failing: bool,
}

impl Dispatcher {
    /// A reader who has read everything up to now.
    pub(super) async fn new(shared: &Arc<Shared>) -> Result<Self, Error> {
        // Listen first: what rings while the end is looked up is then looked at.
        let redis = shared
            .redis_url
            .as_deref()
            .map(|url| (url, &shared.is_linked));
        let (bus, link) = shared.backend.listen(redis).await?;
        let place = shared.backend.end().await?;
        let Some(inbox) = shared.take_inbox() else {
            return Err(Error::internal("the log is already being read"));
        };
        let (passing, passed) = mpsc::unbounded_channel();
        let presence = shared.backend.presence(&shared.clock, passed);
        let reader = Self {
            shared: Arc::clone(shared),
            inbox,
            bus,
            place,
            subscribers: Subscribers::new(passing),
            recent: SeenEphemeral::default(),
            checks_ephemeral: true,
            joiners: vec![],
            checks_sessions: false,
            sessions_checked_at: Instant::now(),
            pruned_at: None,
            is_failing: false,
        };
        reader.publish();
        if let Some(presence) = presence {
            shared.tasks.spawn(presence.run(shared.shutdown.clone()));
        }
        if let Some(link) = link {
            shared.tasks.spawn(link.run(shared.shutdown.clone()));
        }
        Ok(reader)
    }

    /// Until the server stops. Subscriptions end with it.
    pub(super) async fn run(mut self) {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = self.shared.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                // What other nodes changed may have rung nowhere. Before the bell: a busy log rings all the time.
                _ = sweep.tick() => self.checks_ephemeral |= self.shared.backend.is_shared(),
                Some(request) = self.inbox.recv() => self.hear(request),
                wakeup = self.bus.notified() => self.checks_ephemeral |= wakeup == Wakeup::Ephemeral,
            }
            while let Ok(request) = self.inbox.try_recv() {
                self.hear(request);
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                outcome = self.turn() => self.report(outcome),
            }
        }
    }

    fn hear(&mut self, request: Request) {
        match request {
            Request::Join(subscriber, answer) => self.joiners.push((subscriber, answer)),
            Request::Leave(id) => self.subscribers.remove(id),
            Request::CheckSessions => self.checks_sessions = true,
        }
    }

    /// Says once that reading fails, and once that it works again.
    fn report(&mut self, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) if self.is_failing => tracing::info!("the event log can be read again"),
            Ok(()) => {}
            Err(error) => {
                if !self.is_failing {
                    tracing::error!(%error, "the event log cannot be read; trying again");
                }
                self.is_failing = true;
                for (_, answer) in self.joiners.drain(..) {
                    // Nobody waits for it any more when this fails.
                    let _ = answer.send(Err(error.clone()));
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
            self.take_in().await?;
        }
        self.publish();
        self.check_ephemeral().await?;
        let is_due = self.sessions_checked_at.elapsed() >= SESSION_SWEEP;
        if is_due || self.checks_sessions {
            let shared = &self.shared;
            let now = shared.clock.now();
            with_timeout(shared.sessions.check(&*shared.backend, now, is_due)).await?;
            self.checks_sessions = false;
            if is_due {
                self.sessions_checked_at = Instant::now();
            }
        }
        self.prune();
        Ok(())
    }

    /// Reads and dispatches up to `until`, or up to now.
    async fn advance(&mut self, until: Option<&LogPosition>) -> Result<(), Error> {
        loop {
            let log: &dyn Log = &*self.shared.backend;
            let reading = log_reader::after(log, &self.place, until, Scope::Everything, BATCH);
            let batch = with_timeout(reading).await?;
            let contacts = contacts(log, &batch.entries).await?;
            let with_streams = |entry| {
                let streams = heard_on(&entry, &contacts);
                (Arc::new(entry), streams)
            };
            let entries: Vec<_> = batch.entries.into_iter().map(with_streams).collect();
            self.prerender(&entries).await;
            // From here on nothing fails: what was read is handed on.
            self.place = batch.place;
            for (entry, streams) in entries {
                match entry.change {
                    Some(Change::SessionEnded { session, reason }) => {
                        self.shared.backend.note_session_endings();
                        self.shared.sessions.end(session, reason);
                    }
                    Some(
                        Change::ConversationLeft { .. }
                        | Change::MessageDeleted { .. }
                        | Change::UserChanged { .. },
                    ) => {
                        self.shared.payload_cache.bump_access_epoch();
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

    /// Renders the payloads that many subscribers share, so that these are not woken up only to wait for one. What is not
    /// rendered in time, the first subscriber renders.
    async fn prerender(&self, entries: &[(Arc<Entry>, Vec<Uuid>)]) {
        let of = |(entry, streams): &(_, Vec<_>)| self.subscribers.prerenders(entry, streams);
        let renders: Vec<_> = entries.iter().flat_map(of).take(MAX_PRERENDERS).collect();
        if !renders.is_empty() {
            let rendering = AssertUnwindSafe(join_all(renders)).catch_unwind();
            let _ = timeout(PRERENDER_TIMEOUT, rendering).await;
        }
    }

    /// Tells those who listen now what is not kept.
    async fn check_ephemeral(&mut self) -> Result<(), Error> {
        if !self.checks_ephemeral {
            return Ok(());
        }
        let mut found = vec![];
        if !self.subscribers.is_empty() {
            let now = self.shared.clock.now();
            found = with_timeout(self.shared.backend.ephemeral(&mut self.recent, now)).await?;
        }
        // Not before: what could not be looked at is looked at again.
        self.checks_ephemeral = false;
        for ephemeral in found {
            let entry = Entry {
                stream: ephemeral.streams.first().copied().unwrap_or_default(),
                number: 0,
                at: ephemeral.at,
                change: Some(ephemeral.change),
                position: self.place.clone(),
                cache: EntryCache::default(),
            };
            self.subscribers
                .dispatch_ephemeral(entry, &ephemeral.streams);
        }
        Ok(())
    }

    /// Takes subscribers in at the place at which their memberships are true, so that from there on
    /// the events themselves keep them true.
    async fn take_in(&mut self) -> Result<(), Error> {
        let count = self.joiners.len().min(JOINS);
        let mut people: Vec<_> = self
            .joiners
            .iter()
            .take(count)
            .map(|(s, _)| s.user)
            .collect();
        people.sort_unstable();
        people.dedup();
        let (memberships, place) = with_timeout(self.shared.backend.memberships(&people)).await?;
        self.advance(Some(&place)).await?;
        for (subscriber, answer) in self.joiners.drain(..count) {
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
                place: place.clone(),
                conversations,
            };
            if answer.send(Ok(joined)).is_err() {
                self.subscribers.remove(id);
            }
        }
        Ok(())
    }

    /// Forgets old events from time to time, beside the reading.
    fn prune(&mut self) {
        if self
            .pruned_at
            .is_some_and(|at| at.elapsed() < retention::EVERY)
        {
            return;
        }
        self.pruned_at = Some(Instant::now());
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let now = shared.clock.now();
            match shared.backend.prune(shared.retention, now).await {
                Ok(0) => {}
                Ok(events) => tracing::info!(events, "forgot events that are too old to replay"),
                Err(error) => tracing::warn!(%error, "old events could not be forgotten"),
            }
        });
    }

    fn publish(&self) {
        let at = self.shared.clock.now();
        let place = self.place.clone();
        self.shared.reached.send_replace(Some(Cursor { place, at }));
    }
}
