//! The subscribers of this node by stream. The dispatcher owns them; nothing here uses a database.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    options::{Prerender, SubscribeOptions},
    outlet::{Awaited, Closed, Outlet},
};
use crate::{
    id::{ConversationId, UserId},
    live::{
        entry::{Entry, PAYLOAD_SLOTS},
        log::Change,
        presence::PresenceSignal,
    },
};

/// Subscribers with the same share key from which on a payload is rendered before they are woken up. Fewer receive the
/// event sooner when nothing waits for the rendering.
const PRERENDER_MIN: usize = 16;

/// Subscribers of a conversation above which presence is not delivered on its stream: each of them would receive the
/// presence of all others.
const MAX_PRESENCE_SUBSCRIBERS: usize = 200;

/// One subscriber's end of the hub.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) user: UserId,
    pub(super) options: SubscribeOptions,
    pub(super) queue: mpsc::Sender<Arc<Entry>>,
    /// Set when the subscriber was removed because it fell behind.
    pub(super) is_behind: Arc<AtomicBool>,
}

/// A subscriber with its streams.
#[derive(Debug)]
struct Subscribed {
    user: UserId,
    options: SubscribeOptions,
    outlet: Outlet,
    /// Its own stream, and the conversations of which it receives events.
    streams: HashSet<Uuid>,
    /// Its other conversations, if it receives the profile changes of their members or the notifications of their
    /// messages.
    others: HashSet<Uuid>,
    receives_profiles: bool,
    receives_notifications: bool,
}

impl Subscribed {
    /// Whether the conversations of the user are known completely.
    fn is_complete(&self) -> bool {
        self.options.only.is_none() || self.receives_profiles || self.receives_notifications
    }
}

/// The subscribers by one of their streams.
type ByStream = HashMap<Uuid, BTreeSet<u64>>;

/// The subscribers of this node.
#[derive(Debug)]
pub(super) struct Subscribers {
    /// Receives a signal when a user's first subscriber is added and when the last one is removed.
    presence: mpsc::UnboundedSender<PresenceSignal>,
    last_id: u64,
    all: HashMap<u64, Subscribed>,
    by_stream: ByStream,
    by_other: ByStream,
}

impl Subscribers {
    pub(super) fn new(presence: mpsc::UnboundedSender<PresenceSignal>) -> Self {
        Self {
            presence,
            last_id: 0,
            all: HashMap::new(),
            by_stream: HashMap::new(),
            by_other: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a subscriber whose user is currently a member of these conversations. Returns its id, which is greater than
    /// all earlier ones.
    pub(super) fn add(
        &mut self,
        subscriber: Subscriber,
        conversations: impl IntoIterator<Item = ConversationId>,
    ) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let Subscriber {
            user,
            options,
            queue,
            is_behind,
        } = subscriber;
        if !self.by_stream.contains_key(&user.0) {
            self.signal_presence(user, true);
        }
        let receives_profiles = options.want(Some(&Change::UserChanged { user }));
        let receives_notifications = options.want(Some(&Change::NotificationsChanged {
            notifications: None,
        }));
        let with_streams = Subscribed {
            user,
            options,
            outlet: Outlet::new(queue, is_behind),
            streams: HashSet::from([user.0]),
            others: HashSet::new(),
            receives_profiles,
            receives_notifications,
        };
        self.all.insert(id, with_streams);
        self.by_stream.entry(user.0).or_default().insert(id);
        for conversation in conversations {
            self.join(id, conversation);
        }
        id
    }

    pub(super) fn remove(&mut self, id: u64) {
        let Some(subscribed) = self.all.remove(&id) else {
            return;
        };
        for stream in subscribed.streams {
            remove_from(&mut self.by_stream, id, stream);
        }
        for stream in subscribed.others {
            remove_from(&mut self.by_other, id, stream);
        }
        if !self.by_stream.contains_key(&subscribed.user.0) {
            self.signal_presence(subscribed.user, false);
        }
    }

    /// Removes all subscribers. Their clients resume.
    pub(super) fn interrupt_all(&mut self) {
        for id in self.all.keys().copied().collect::<Vec<_>>() {
            if let Some(subscribed) = self.all.get(&id) {
                subscribed.outlet.interrupt();
            }
            self.remove(id);
        }
    }

    fn signal_presence(&self, user: UserId, is_connected: bool) {
        // Fails only when the server stops.
        let _ = self.presence.send((user, is_connected));
    }

    /// The conversations of this user, if they have a subscriber from which they are known.
    pub(super) fn conversations_of(&self, user: UserId) -> Option<Vec<Uuid>> {
        let mut own = self.by_stream.get(&user.0)?.iter();
        let known = own.find_map(|id| self.all.get(id).filter(|one| one.is_complete()))?;
        let streams = known.streams.union(&known.others).copied();
        Some(streams.filter(|stream| *stream != user.0).collect())
    }

    /// The subscribers that receive this event, which belongs to these streams; each once, in ascending order.
    pub(super) fn recipients(&self, entry: &Entry, streams: &[Uuid]) -> Vec<u64> {
        let of_stream = |stream| self.by_stream.get(stream).into_iter().flatten().copied();
        let wants = |id: &u64| {
            let subscribed = self.all.get(id);
            subscribed.is_some_and(|one| one.options.want(entry.change.as_ref()))
        };
        let mut ids: Vec<u64> = streams.iter().flat_map(of_stream).filter(wants).collect();
        if streams.len() > 1 {
            ids.sort_unstable();
            ids.dedup();
        }
        ids
    }

    /// The subscribers of all members of a conversation who receive notifications, in ascending order.
    pub(super) fn notified(&self, entry: &Entry) -> Vec<u64> {
        let indexes = [&self.by_stream, &self.by_other].into_iter();
        let members = indexes
            .filter_map(|index| index.get(&entry.stream))
            .flatten();
        let wants = |id: &u64| {
            let subscribed = self.all.get(id);
            subscribed.is_some_and(|one| one.receives_notifications)
        };
        let mut ids: Vec<u64> = members.copied().filter(wants).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Removes the conversations in which this user's presence is not delivered.
    pub(super) fn retain_presence_streams(&self, user: UserId, streams: &mut Vec<Uuid>) {
        streams.retain(|stream| {
            let subscribers = self.by_stream.get(stream).map_or(0, BTreeSet::len);
            *stream == user.0 || subscribers <= MAX_PRESENCE_SUBSCRIBERS
        });
    }

    /// The users of these subscribers.
    pub(super) fn users(&self, ids: &[u64]) -> HashSet<UserId> {
        let of = |id| self.all.get(id).map(|subscribed| subscribed.user);
        ids.iter().filter_map(of).collect()
    }

    /// Removes the subscribers of these users.
    pub(super) fn remove_users(&self, ids: &mut Vec<u64>, users: &HashSet<UserId>) {
        if !users.is_empty() {
            let user = |id: &u64| self.all.get(id).map(|subscribed| subscribed.user);
            ids.retain(|id| user(id).is_none_or(|user| !users.contains(&user)));
        }
    }

    /// All subscribers that receive profile changes, in ascending order.
    pub(super) fn profile_recipients(&self) -> Vec<u64> {
        let all = self.all.iter().filter(|(_, one)| one.receives_profiles);
        let mut ids: Vec<u64> = all.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// The subscribers that receive profile changes of a user who is a member of these conversations, in ascending
    /// order.
    pub(super) fn contacts(&self, user: UserId, conversations: &[Uuid]) -> Vec<u64> {
        let receives = |id: &u64| self.all.get(id).is_some_and(|one| one.receives_profiles);
        let mut ids = vec![];
        for stream in conversations.iter().chain([&user.0]) {
            let indexes = [&self.by_stream, &self.by_other];
            let of_stream = indexes.into_iter().filter_map(|index| index.get(stream));
            ids.extend(of_stream.flatten().copied().filter(receives));
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Delivers an event to these subscribers.
    pub(super) fn deliver(&mut self, entry: &Arc<Entry>, ids: &[u64]) {
        self.each(ids, |_, outlet| outlet.push(entry));
    }

    /// Delivers an event to those of these subscribers that are its recipients, as soon as they are decided.
    pub(super) fn deliver_later(&mut self, awaited: &Arc<Awaited>, ids: &[u64]) {
        self.each(ids, |_, outlet| outlet.push_awaited(awaited));
    }

    /// Delivers to these subscribers what no longer has to wait.
    pub(super) fn release(&mut self, ids: &[u64]) {
        self.each(ids, |id, outlet| outlet.release(id));
    }

    /// Delivers an ephemeral event to these subscribers, unless their queues are half full.
    pub(super) fn deliver_ephemeral(&self, entry: &Arc<Entry>, ids: &[u64]) {
        for subscribed in ids.iter().filter_map(|id| self.all.get(id)) {
            subscribed.outlet.push_ephemeral(entry);
        }
    }

    fn each(&mut self, ids: &[u64], mut act: impl FnMut(u64, &mut Outlet) -> Result<(), Closed>) {
        for &id in ids {
            if let Some(subscribed) = self.all.get_mut(&id)
                && let Err(Closed) = act(id, &mut subscribed.outlet)
            {
                self.remove(id);
            }
        }
    }

    /// The payloads of an event to render before these subscribers are woken up: those that enough of them share.
    pub(super) fn prerenders(
        &self,
        entry: &Arc<Entry>,
        ids: &[u64],
    ) -> Vec<BoxFuture<'static, ()>> {
        if ids.len() < PRERENDER_MIN {
            return vec![];
        }
        let mut counts: Vec<(&Prerender, usize)> = vec![];
        for id in ids {
            let subscribed = self.all.get(id);
            let Some(prerender) = subscribed.and_then(|one| one.options.prerender.as_ref()) else {
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
            .filter_map(|(prerender, _)| (prerender.render)(entry))
            .collect()
    }

    /// Applies an event of a user's own stream to the memberships of their subscribers. It has been delivered.
    pub(super) fn apply_membership(&mut self, own: &Entry) {
        let (conversation, joins) = match own.change {
            Some(Change::ConversationJoined { conversation }) => (conversation, true),
            Some(Change::ConversationLeft { conversation }) => (conversation, false),
            _ => return,
        };
        let ids: Vec<u64> = self
            .by_stream
            .get(&own.stream)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        for id in ids {
            // A conversation's stream has no such events, so these are the subscribers of one user.
            if joins {
                self.join(id, conversation);
            } else {
                self.leave(id, conversation);
            }
        }
    }

    fn join(&mut self, id: u64, conversation: ConversationId) {
        let Some(subscribed) = self.all.get_mut(&id) else {
            return;
        };
        let index = if subscribed.options.include(conversation) {
            subscribed.streams.insert(conversation.0);
            &mut self.by_stream
        } else if subscribed.receives_profiles || subscribed.receives_notifications {
            subscribed.others.insert(conversation.0);
            &mut self.by_other
        } else {
            return;
        };
        index.entry(conversation.0).or_default().insert(id);
    }

    fn leave(&mut self, id: u64, conversation: ConversationId) {
        if let Some(subscribed) = self.all.get_mut(&id) {
            subscribed.streams.remove(&conversation.0);
            subscribed.others.remove(&conversation.0);
        }
        remove_from(&mut self.by_stream, id, conversation.0);
        remove_from(&mut self.by_other, id, conversation.0);
    }
}

fn remove_from(index: &mut ByStream, id: u64, stream: Uuid) {
    if let Some(ids) = index.get_mut(&stream) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(&stream);
        }
    }
}
