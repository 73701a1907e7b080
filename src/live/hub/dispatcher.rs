//! The task that reads the log and dispatches its events to the subscribers. There is one per node.

use std::{pin::pin, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, join_all};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

use super::{
    admission::Admissions,
    audiences::AudienceLookups,
    ephemeral_checks::{Addressed, EphemeralChecks},
    outlet::{Awaited, Outcome},
    request::{Joined, ProfileChange, Request, conversations_of},
    session_checks::SessionChecks,
    state::HubState,
    subscribers::Subscribers,
};
use crate::{
    db::with_timeout,
    error::Error,
    id::{ConversationId, UserId},
    live::{
        bus::{Bus, Wakeup},
        cursor::EventCursor,
        entry::{Entry, EntryCache},
        epoch::LogEpoch,
        log::Change,
        log_reader::{self, Batch, Scope},
        position::LogPosition,
        retention,
    },
};

/// How often the log is read without a wake-up.
const SWEEP: Duration = Duration::from_secs(1);
/// Events read by one statement.
const BATCH: usize = 500;

/// How long an event waits for its payloads to be rendered in advance.
const PRERENDER_TIMEOUT: Duration = Duration::from_millis(50);
/// Events whose payloads are rendered in advance at the same time.
const MAX_PRERENDERS: usize = 64;

/// Reads the log from the position at which the node started.
pub(super) struct Dispatcher {
    hub: Arc<HubState>,
    inbox: mpsc::UnboundedReceiver<Request>,
    bus: Bus,
    epoch: LogEpoch,
    position: LogPosition,
    /// Who waits for a restart.
    restarts: Vec<oneshot::Sender<()>>,
    /// Whether the log may have grown since it was read.
    reads_log: bool,
    subscribers: Subscribers,
    /// The subscribers that receive profile changes, until one is added.
    profile_recipients: Option<Arc<[u64]>>,
    admissions: Admissions,
    audience_lookups: AudienceLookups,
    ephemeral_checks: EphemeralChecks,
    /// The number of the last ephemeral event.
    last_ephemeral: i64,
    session_checks: SessionChecks,
    prerenders: Arc<Semaphore>,
    pruned_at: Option<DateTime<Utc>>,
    is_failing: bool,
}

impl Dispatcher {
    /// A dispatcher at the end of the log.
    pub(super) async fn new(hub: &Arc<HubState>) -> Result<Self, Error> {
        // Listen before the read, so that a commit during the next statement causes another read.
        let redis = hub.redis_url.as_deref().map(|url| (url, &hub.is_linked));
        let (bus, link) = hub.backend.listen(redis).await?;
        let epoch = hub.backend.epoch().await?;
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
            epoch,
            position,
            restarts: vec![],
            reads_log: false,
            subscribers: Subscribers::new(signals),
            profile_recipients: None,
            admissions: Admissions::default(),
            audience_lookups: AudienceLookups::default(),
            ephemeral_checks: EphemeralChecks::new(),
            last_ephemeral: 0,
            session_checks: SessionChecks::new(),
            prerenders: Arc::new(Semaphore::new(MAX_PRERENDERS)),
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
                _ = sweep.tick() => self.sweep(),
                Some(request) = self.inbox.recv() => self.receive(request),
                wakeup = self.bus.notified() => self.wake_up(wakeup),
            }
            while let Ok(request) = self.inbox.try_recv() {
                self.receive(request);
            }
            if self.reads_log || !self.restarts.is_empty() || self.admissions.are_loaded() {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    outcome = self.turn() => self.report(outcome),
                }
            }
            self.admissions.start(&self.hub);
            self.audience_lookups.start(&self.hub);
            self.ephemeral_checks.start(&self.hub, &self.subscribers);
            self.session_checks.start(&self.hub);
        }
    }

    fn sweep(&mut self) {
        self.reads_log = true;
        self.ephemeral_checks.sweep(self.hub.backend.is_shared());
        self.session_checks.sweep();
    }

    fn wake_up(&mut self, wakeup: Wakeup) {
        self.reads_log = true;
        if wakeup == Wakeup::Ephemeral {
            self.ephemeral_checks.request();
        }
    }

    fn receive(&mut self, request: Request) {
        match request {
            Request::Join(subscriber, reply) => self.admissions.add((subscriber, reply)),
            Request::Leave(id) => self.subscribers.remove(id),
            Request::Restart(reply) => self.restarts.push(reply),
            Request::CheckSessions => self.session_checks.request(),
            Request::SessionsChecked(result) => self.session_checks.end(result),
            Request::Release(ids) => self.subscribers.release(&ids),
            Request::Audiences(changes, found) => {
                self.audience_lookups.end();
                self.decide(&changes, found.as_deref());
            }
            Request::Memberships(number, found) => self.admissions.loaded(number, found),
            Request::Ephemeral(seen, found) => {
                let events = self.ephemeral_checks.loaded(&self.subscribers, seen, found);
                self.dispatch_ephemeral(events);
            }
            Request::PresenceAudiences(events, found) => {
                let events = self.ephemeral_checks.looked_up(events, found);
                self.dispatch_ephemeral(events);
            }
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
                self.admissions.reject(&error);
                return;
            }
        }
        self.is_failing = false;
    }

    async fn turn(&mut self) -> Result<(), Error> {
        self.reads_log = false;
        if self.is_failing || !self.restarts.is_empty() {
            self.check_epoch().await?;
        }
        let loaded = self.admissions.loaded_numbers();
        self.advance().await?;
        for number in loaded {
            self.admit(number);
        }
        self.publish();
        self.prune();
        Ok(())
    }

    /// Starts again at the end of the log if it was replaced. While a database is restored, its connections fail. Clients
    /// resume, and find that their cursors belong to another epoch.
    async fn check_epoch(&mut self) -> Result<(), Error> {
        let backend = &self.hub.backend;
        let mut epoch = with_timeout(backend.epoch()).await?;
        let mut end = with_timeout(backend.end()).await?;
        if epoch == self.epoch && self.position.is_beyond(&end) {
            epoch = with_timeout(backend.begin_epoch(epoch)).await?;
            end = with_timeout(backend.end()).await?;
        }
        if epoch != self.epoch {
            tracing::warn!("the database was restored or replaced: clients load their state again");
            (self.epoch, self.position) = (epoch, end);
            self.mark();
            self.hub.payload_cache.bump_access_epoch();
            self.subscribers.interrupt_all();
        }
        for reply in self.restarts.drain(..) {
            // The subscriber may be gone.
            let _ = reply.send(());
        }
        Ok(())
    }

    fn mark(&self) {
        if let Some(mark) = self.hub.mark.get() {
            mark.write(self.epoch, &self.position);
        }
    }

    /// Reads and dispatches the events up to the end of the log.
    async fn advance(&mut self) -> Result<(), Error> {
        loop {
            let batch = self.read().await?;
            // Nothing below can fail: every event that was read is dispatched.
            let has_moved = self.position != batch.position;
            self.position = batch.position;
            if has_moved {
                self.mark();
            }
            for entry in batch.entries {
                self.dispatch(entry);
            }
            if batch.is_last {
                return Ok(());
            }
        }
    }

    /// Reads the next events. Meanwhile the results of tasks are received, so that a slow statement delays nothing that
    /// was read before.
    async fn read(&mut self) -> Result<Batch, Error> {
        let (log, from) = (Arc::clone(&self.hub.backend), self.position.clone());
        let reading = log_reader::after(&*log, &from, None, Scope::Everything, BATCH);
        let mut reading = pin!(with_timeout(reading));
        loop {
            tokio::select! {
                biased;
                batch = &mut reading => return batch,
                Some(request) = self.inbox.recv() => self.receive(request),
            }
        }
    }

    fn dispatch(&mut self, entry: Entry) {
        self.note(&entry);
        let entry = Arc::new(entry);
        match &entry.change {
            Some(Change::UserChanged { user }) => self.dispatch_profile(&entry, *user),
            change => {
                let ids = if change.as_ref().is_some_and(Change::may_notify_all) {
                    self.subscribers.notified(&entry)
                } else {
                    let streams = target_streams(entry.stream, change.as_ref());
                    self.subscribers.recipients(&entry, &streams)
                };
                let renders = self.subscribers.prerenders(&entry, &ids);
                if renders.is_empty() {
                    self.subscribers.deliver(&entry, &ids);
                } else {
                    self.deliver_rendered(&entry, ids, renders);
                }
            }
        }
        self.subscribers.apply_membership(&entry);
    }

    /// Applies what has an effect before any subscriber receives the event. The end of a session waits for nothing.
    fn note(&mut self, entry: &Entry) {
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
        self.admissions.record(entry);
    }

    /// Delivers a profile change to the subscribers who share a conversation with the user. When the user has no
    /// subscriber on this node, their conversations are looked up, and the events that follow wait for it.
    fn dispatch_profile(&mut self, entry: &Arc<Entry>, user: UserId) {
        if let Some(conversations) = self.subscribers.conversations_of(user) {
            let ids = self.subscribers.contacts(user, &conversations);
            return self.subscribers.deliver(entry, &ids);
        }
        let subscribers = &self.subscribers;
        let all = || Arc::from(subscribers.profile_recipients());
        let ids = Arc::clone(self.profile_recipients.get_or_insert_with(all));
        if ids.is_empty() {
            return;
        }
        let awaited = Awaited::new(entry);
        self.subscribers.deliver_later(&awaited, &ids);
        let change = ProfileChange { user, awaited, ids };
        self.audience_lookups.add(change);
    }

    /// Decides who receives these profile changes.
    fn decide(
        &mut self,
        changes: &[ProfileChange],
        found: Result<&[(UserId, ConversationId)], &Error>,
    ) {
        if let Err(error) = found {
            let events = changes.len();
            tracing::warn!(
                %error,
                events,
                "it is unknown who receives some events; all subscribers load their state again"
            );
        }
        let mut waiting = vec![];
        for ProfileChange { user, awaited, ids } in changes {
            awaited.decide(match found {
                Ok(memberships) => {
                    let conversations = conversations_of(memberships, *user).map(|id| id.0);
                    let conversations: Vec<_> = conversations.collect();
                    let ids = self.subscribers.contacts(*user, &conversations);
                    Outcome::Only(ids.into_iter().collect())
                }
                Err(_) => Outcome::Unknown(Arc::new(awaited.entry.reset())),
            });
            waiting.extend_from_slice(ids);
        }
        waiting.sort_unstable();
        waiting.dedup();
        self.subscribers.release(&waiting);
    }

    /// Renders the payloads that many subscribers share before these are woken up only to wait for one. What is not
    /// rendered in time, the first subscriber renders.
    fn deliver_rendered(
        &mut self,
        entry: &Arc<Entry>,
        ids: Vec<u64>,
        renders: Vec<BoxFuture<'static, ()>>,
    ) {
        let Ok(permit) = Arc::clone(&self.prerenders).try_acquire_owned() else {
            return self.subscribers.deliver(entry, &ids);
        };
        let awaited = Awaited::new(entry);
        self.subscribers.deliver_later(&awaited, &ids);
        let render = async move {
            let _permit = permit;
            let _ = timeout(PRERENDER_TIMEOUT, join_all(renders)).await;
            Ok(())
        };
        self.hub.spawn(render, move |_| {
            awaited.decide(Outcome::All);
            Request::Release(ids)
        });
    }

    /// Dispatches ephemeral events to the current subscribers. These are also the audience of the event, which therefore
    /// needs no statement.
    fn dispatch_ephemeral(&mut self, events: Vec<Addressed>) {
        for (event, mut streams) in events {
            if let Change::PresenceChanged { user } = event.change {
                self.subscribers.retain_presence_streams(user, &mut streams);
            }
            self.last_ephemeral -= 1;
            let entry = Entry {
                stream: streams.first().copied().unwrap_or_default(),
                number: self.last_ephemeral,
                at: event.at,
                change: Some(event.change),
                position: self.position.clone(),
                cache: EntryCache::default(),
            };
            let mut ids = self.subscribers.recipients(&entry, &streams);
            self.subscribers.remove_users(&mut ids, &event.hidden_from);
            let mut users = self.subscribers.users(&ids);
            if let Some(Change::PresenceChanged { user } | Change::TypingChanged { user, .. }) =
                &entry.change
            {
                // They see themselves even when hidden, and receive no event that they type.
                users.remove(user);
            }
            self.hub.payload_cache.store_audience(&entry, users);
            self.subscribers.deliver_ephemeral(&Arc::new(entry), &ids);
        }
    }

    /// Adds the subscribers of an admission. The log was read to its end since their memberships were loaded.
    fn admit(&mut self, number: u64) {
        let Some(admitted) = self.admissions.take(number) else {
            return;
        };
        for (subscriber, reply) in admitted.joiners {
            let conversations = admitted.conversations.of(subscriber.user);
            let id = self
                .subscribers
                .add(*subscriber, conversations.iter().copied());
            let joined = Joined {
                id,
                epoch: self.epoch,
                position: self.position.clone(),
                conversations,
            };
            if reply.send(Ok(joined)).is_err() {
                self.subscribers.remove(id);
            }
        }
        self.profile_recipients = None;
    }

    /// Deletes old events from time to time, in a separate task.
    fn prune(&mut self) {
        let now = self.hub.clock.now();
        if self
            .pruned_at
            .is_some_and(|at| now - at < retention::INTERVAL)
        {
            return;
        }
        self.pruned_at = Some(now);
        let hub = Arc::clone(&self.hub);
        self.hub.tasks.spawn(async move {
            match hub.backend.prune(hub.retention, now).await {
                Ok(0) => {}
                Ok(events) => tracing::info!(
                    events,
                    "deleted events that are too old, or whose stream is too long, to replay"
                ),
                Err(error) => tracing::warn!(%error, "old events could not be deleted"),
            }
        });
    }

    fn publish(&self) {
        let at = self.hub.clock.now();
        let reached = EventCursor {
            epoch: self.epoch,
            position: self.position.clone(),
            at,
        };
        self.hub.reached.send_replace(Some(reached));
    }
}

/// The streams whose subscribers receive an event: for most events only its own.
fn target_streams(stream: Uuid, change: Option<&Change>) -> Vec<Uuid> {
    match change {
        Some(Change::ReadPositionChanged {
            conversation,
            is_shared: true,
            ..
        }) => vec![stream, conversation.0],
        Some(Change::NotificationsAdded { to, .. }) => to.keys().map(|user| user.0).collect(),
        _ => vec![stream],
    }
}
