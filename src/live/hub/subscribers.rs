//! Who on this node hears which streams. Owned by the reader; knows no database.

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

/// Events that may wait for one subscriber. Whoever falls further behind is let go and resumes from
/// the log, so that nobody's slowness is kept in our memory.
pub(super) const QUEUE: usize = 256;

/// Subscribers with the same share key from which on a payload is rendered before they are woken up. Fewer receive the
/// event sooner when nothing waits for the rendering.
const PRERENDER_MIN: usize = 16;

/// What a subscriber wants of the hub.
#[derive(Debug, Default)]
pub struct SubscribeOptions {
    /// Which conversations to hear; none for all.
    pub only: Option<HashSet<ConversationId>>,
    /// Which changes; none for all.
    pub changes: Option<ChangeFilter>,
    /// Renders payloads that many subscribers share before they are woken up.
    pub prerender: Option<Prerender>,
}

/// Which changes a subscriber wants to hear, beside those of their own memberships and sessions: nobody else is woken
/// for the others.
#[derive(Clone)]
pub struct ChangeFilter(Arc<dyn Fn(&Change) -> bool + Send + Sync>);

impl ChangeFilter {
    /// Those of which this is true.
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
    /// Set when the subscriber was let go because it fell behind.
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
            // Nobody here knows how to tell of it.
            (Some(_), None) => false,
        }
    }
}

/// The subscribers of this node.
#[derive(Debug)]
pub(super) struct Subscribers {
    /// Told when somebody's first subscriber comes and their last one goes.
    passing: mpsc::UnboundedSender<PresenceSignal>,
    last: u64,
    all: HashMap<u64, (Subscriber, HashSet<Uuid>)>,
    by_stream: HashMap<Uuid, BTreeSet<u64>>,
}

impl Subscribers {
    /// Nobody yet.
    pub(super) fn new(passing: mpsc::UnboundedSender<PresenceSignal>) -> Self {
        Self {
            passing,
            last: 0,
            all: HashMap::new(),
            by_stream: HashMap::new(),
        }
    }

    /// Whether nobody listens.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a subscriber, who takes part in these conversations at this moment.
    pub(super) fn add(
        &mut self,
        subscriber: Subscriber,
        conversations: impl IntoIterator<Item = ConversationId>,
    ) -> u64 {
        self.last += 1;
        let id = self.last;
        let user = subscriber.user;
        if !self.by_stream.contains_key(&user.0) {
            self.passes(user, true);
        }
        self.all.insert(id, (subscriber, HashSet::new()));
        self.listen(id, user.0);
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
            self.forget(id, stream);
        }
        if !self.by_stream.contains_key(&subscriber.user.0) {
            self.passes(subscriber.user, false);
        }
    }

    fn passes(&self, user: UserId, is_here: bool) {
        // Nobody keeps the list any more when the server stops.
        let _ = self.passing.send((user, is_here));
    }

    /// Hands something fleeting to whoever hears one of these streams, once. Those who lag miss it.
    pub(super) fn dispatch_ephemeral(&mut self, entry: Entry, streams: &[Uuid]) {
        let listeners: BTreeSet<u64> = streams
            .iter()
            .filter_map(|stream| self.by_stream.get(stream))
            .flatten()
            .copied()
            .collect();
        let entry = Arc::new(entry);
        for id in listeners {
            if let Some((subscriber, _)) = self.all.get(&id)
                && subscriber.wants(&entry)
                && subscriber.queue.capacity() > QUEUE / 2
            {
                // Closed ones are removed by the next event that counts.
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

    /// Hands an event to everybody who hears one of these streams, once, and follows those who join and leave.
    pub(super) fn dispatch(&mut self, entry: &Arc<Entry>, streams: &[Uuid]) {
        let heard = |stream| self.by_stream.get(stream).into_iter().flatten().copied();
        let mut listeners: Vec<u64> = streams.iter().flat_map(heard).collect();
        if streams.len() > 1 {
            listeners.sort_unstable();
            listeners.dedup();
        }
        for id in listeners {
            self.hand(id, entry);
        }
    }

    fn hand(&mut self, id: u64, entry: &Arc<Entry>) {
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
                self.forget(id, conversation.0);
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
            self.listen(id, conversation.0);
        }
    }

    fn listen(&mut self, id: u64, stream: Uuid) {
        if let Some((_, streams)) = self.all.get_mut(&id) {
            streams.insert(stream);
            self.by_stream.entry(stream).or_default().insert(id);
        }
    }

    fn forget(&mut self, id: u64, stream: Uuid) {
        if let Some(listeners) = self.by_stream.get_mut(&stream) {
            listeners.remove(&id);
            if listeners.is_empty() {
                self.by_stream.remove(&stream);
            }
        }
    }
}
