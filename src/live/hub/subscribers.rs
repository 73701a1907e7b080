//! The subscribers of this node by stream. The dispatcher owns them; nothing here uses a database.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{self, error::TrySendError};
use uuid::Uuid;

use crate::{
    id::{ConversationId, UserId},
    live::{
        entry::{Entry, PAYLOAD_SLOTS, ShareKey},
        log::Change,
        presence::PresenceSignal,
    },
};

/// Events that may wait in the queue of one subscriber. A subscriber that falls further behind is removed and resumes
/// from the log, which bounds the memory of slow clients.
pub(super) const QUEUE: usize = 256;

/// Subscribers with the same share key from which on a payload is rendered before they are woken up. Fewer receive the
/// event sooner when nothing waits for the rendering.
const PRERENDER_MIN: usize = 16;

/// What a subscriber receives.
#[derive(Debug, Default)]
pub struct SubscribeOptions {
    /// Only events of these conversations; none for all.
    pub only: Option<HashSet<ConversationId>>,
    /// Only these changes; none for all.
    pub changes: Option<ChangeFilter>,
    /// Renders payloads that many subscribers share before they are woken up.
    pub prerender: Option<Prerender>,
}

/// The changes that a subscriber receives, besides those of their own memberships and sessions. Other changes do not
/// wake up the subscriber.
#[derive(Clone)]
pub struct ChangeFilter(Arc<dyn Fn(&Change) -> bool + Send + Sync>);

impl ChangeFilter {
    /// The changes for which the function returns true.
    pub fn new(wants: impl Fn(&Change) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wants))
    }
}

impl fmt::Debug for ChangeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFilter").finish_non_exhaustive()
    }
}

/// Renders the payload of an event into the payload cache.
pub struct Prerender {
    key: ShareKey,
    render: Box<dyn Fn(Arc<Entry>) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Prerender {
    /// Renders in this way the payload that subscribers with this key share.
    pub fn new<F>(key: ShareKey, render: impl Fn(Arc<Entry>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            key,
            render: Box::new(move |entry| Box::pin(render(entry))),
        }
    }
}

impl fmt::Debug for Prerender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prerender").finish_non_exhaustive()
    }
}

/// One subscriber's end of the hub.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) user: UserId,
    pub(super) options: SubscribeOptions,
    pub(super) queue: mpsc::Sender<Arc<Entry>>,
    /// Set when the subscriber was removed because it fell behind.
    pub(super) is_behind: Arc<AtomicBool>,
}

impl Subscriber {
    fn wants(&self, entry: &Entry) -> bool {
        match (&self.options.changes, &entry.change) {
            (None, _)
            | (
                _,
                Some(
                    Change::ConversationJoined { .. }
                    | Change::ConversationLeft { .. }
                    | Change::SessionEnded { .. },
                ),
            ) => true,
            (Some(ChangeFilter(wants)), Some(change)) => wants(change),
            // A change of an unknown kind cannot be delivered.
            (Some(_), None) => false,
        }
    }
}

/// The subscribers of this node.
#[derive(Debug)]
pub(super) struct Subscribers {
    /// Receives a signal when a user's first subscriber is added and when the last one is removed.
    presence: mpsc::UnboundedSender<PresenceSignal>,
    last_id: u64,
    all: HashMap<u64, (Subscriber, HashSet<Uuid>)>,
    by_stream: HashMap<Uuid, BTreeSet<u64>>,
}

impl Subscribers {
    pub(super) fn new(presence: mpsc::UnboundedSender<PresenceSignal>) -> Self {
        Self {
            presence,
            last_id: 0,
            all: HashMap::new(),
            by_stream: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a subscriber whose user is currently a member of these conversations. Returns its id.
    pub(super) fn add(
        &mut self,
        subscriber: Subscriber,
        conversations: impl IntoIterator<Item = ConversationId>,
    ) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let user = subscriber.user;
        if !self.by_stream.contains_key(&user.0) {
            self.signal_presence(user, true);
        }
        self.all.insert(id, (subscriber, HashSet::new()));
        self.add_to_stream(id, user.0);
        for conversation in conversations {
            self.join(id, conversation);
        }
        id
    }

    pub(super) fn remove(&mut self, id: u64) {
        let Some((subscriber, streams)) = self.all.remove(&id) else {
            return;
        };
        for stream in streams {
            self.remove_from_stream(id, stream);
        }
        if !self.by_stream.contains_key(&subscriber.user.0) {
            self.signal_presence(subscriber.user, false);
        }
    }

    fn signal_presence(&self, user: UserId, is_connected: bool) {
        // Fails only when the server stops.
        let _ = self.presence.send((user, is_connected));
    }

    /// Queues an ephemeral event once for each subscriber of one of these streams, unless their queue is half full.
    pub(super) fn dispatch_ephemeral(&mut self, entry: Entry, streams: &[Uuid]) {
        let ids: BTreeSet<u64> = streams
            .iter()
            .filter_map(|stream| self.by_stream.get(stream))
            .flatten()
            .copied()
            .collect();
        let entry = Arc::new(entry);
        for id in ids {
            if let Some((subscriber, _)) = self.all.get(&id)
                && subscriber.wants(&entry)
                && subscriber.queue.capacity() > QUEUE / 2
            {
                // A closed queue is removed by the next logged event.
                let _ = subscriber.queue.try_send(Arc::clone(&entry));
            }
        }
    }

    /// The payloads of an event to render before its subscribers are woken up: those that enough of them share.
    pub(super) fn prerenders(
        &self,
        entry: &Arc<Entry>,
        streams: &[Uuid],
    ) -> Vec<BoxFuture<'static, ()>> {
        let mut counts: Vec<(&Prerender, usize)> = vec![];
        let ids = streams
            .iter()
            .filter_map(|stream| self.by_stream.get(stream));
        for id in ids.filter(|ids| ids.len() >= PRERENDER_MIN).flatten() {
            let subscriber = self.all.get(id).map(|(subscriber, _)| subscriber);
            let Some(prerender) = subscriber.and_then(|one| one.options.prerender.as_ref()) else {
                continue;
            };
            if let Some((_, count)) = counts.iter_mut().find(|(of, _)| of.key == prerender.key) {
                *count += 1;
            } else if counts.len() < PAYLOAD_SLOTS {
                counts.push((prerender, 1));
            }
        }
        let shared = counts
            .into_iter()
            .filter(|(_, count)| *count >= PRERENDER_MIN);
        shared
            .map(|(prerender, _)| (prerender.render)(Arc::clone(entry)))
            .collect()
    }

    /// Queues an event once for each subscriber of one of these streams, and applies it to their memberships.
    pub(super) fn dispatch(&mut self, entry: &Arc<Entry>, streams: &[Uuid]) {
        let of_stream = |stream| self.by_stream.get(stream).into_iter().flatten().copied();
        let mut ids: Vec<u64> = streams.iter().flat_map(of_stream).collect();
        if streams.len() > 1 {
            ids.sort_unstable();
            ids.dedup();
        }
        for id in ids {
            self.queue(id, entry);
        }
    }

    fn queue(&mut self, id: u64, entry: &Arc<Entry>) {
        let Some((subscriber, _)) = self.all.get(&id) else {
            return;
        };
        if !subscriber.wants(entry) {
            return;
        }
        let is_own = subscriber.user.0 == entry.stream;
        match subscriber.queue.try_send(Arc::clone(entry)) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return self.remove(id),
            Err(TrySendError::Full(_)) => {
                subscriber.is_behind.store(true, Ordering::Release);
                return self.remove(id);
            }
        }
        match entry.change {
            Some(Change::ConversationJoined { conversation }) if is_own => {
                self.join(id, conversation);
            }
            Some(Change::ConversationLeft { conversation }) if is_own => {
                if let Some((_, streams)) = self.all.get_mut(&id) {
                    streams.remove(&conversation.0);
                }
                self.remove_from_stream(id, conversation.0);
            }
            _ => {}
        }
    }

    fn join(&mut self, id: u64, conversation: ConversationId) {
        let wants = self.all.get(&id).is_some_and(|(subscriber, _)| {
            let only = subscriber.options.only.as_ref();
            only.is_none_or(|only| only.contains(&conversation))
        });
        if wants {
            self.add_to_stream(id, conversation.0);
        }
    }

    fn add_to_stream(&mut self, id: u64, stream: Uuid) {
        if let Some((_, streams)) = self.all.get_mut(&id) {
            streams.insert(stream);
            self.by_stream.entry(stream).or_default().insert(id);
        }
    }

    fn remove_from_stream(&mut self, id: u64, stream: Uuid) {
        if let Some(ids) = self.by_stream.get_mut(&stream) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_stream.remove(&stream);
            }
        }
    }
}
