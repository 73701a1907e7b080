//! The events of one user in order: first the missed events from the log, then new events from the hub, with no gap and
//! no repetition between the two.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    sync::Arc,
};

use uuid::Uuid;

use super::{
    cursor::EventCursor,
    entry::Entry,
    hub::{Hub, SubscribeOptions, Subscription},
    log::Change,
    log_reader::{self, Log, Scope},
    position::LogPosition,
};
use crate::{
    db::{with_lookup_timeout, with_timeout},
    error::Error,
    id::{ConversationId, UserId},
};

/// Missed events read by one statement.
const BATCH: usize = 200;
/// Users whose relation to the subscriber a replay remembers.
const MAX_CONTACTS: usize = 2000;

/// Where a stream begins.
#[derive(Clone, Debug)]
pub enum Since {
    /// At the end of the log.
    Now,
    /// Just after this cursor.
    Cursor(EventCursor),
    /// After a cursor that cannot be decoded.
    Unknown,
}

/// How a stream began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It begins now.
    Started,
    /// All events after the given cursor follow.
    Resumed,
    /// The events after the given cursor are not available; it begins now.
    Reset,
}

/// The events of one user, in order.
#[derive(Debug)]
pub struct ResumedStream {
    opening: Opening,
    start: EventCursor,
    user: UserId,
    subscription: Subscription,
    /// Boxed, because most streams have finished their replay.
    replay: Option<Box<Replay>>,
}

#[derive(Debug)]
struct Replay {
    log: Arc<dyn Log>,
    user: UserId,
    from: LogPosition,
    until: EventCursor,
    is_read: bool,
    buffer: VecDeque<Entry>,
    /// The conversations of which the user is a member at this position of the log.
    conversations: HashSet<ConversationId>,
    /// The conversations of which they are a member when the replay ends.
    final_conversations: HashSet<ConversationId>,
    /// Only conversation events of these; none for all.
    only: Option<HashSet<ConversationId>>,
    /// Whether users whose profiles changed share a conversation with the user. Cleared when it grows too large.
    contacts: HashMap<UserId, bool>,
}

impl Hub {
    /// Streams the events of this user, of all their conversations or of `only` some.
    pub async fn follow(
        &self,
        user: UserId,
        since: Since,
        only: Option<HashSet<ConversationId>>,
    ) -> Result<ResumedStream, Error> {
        let options = SubscribeOptions {
            only,
            ..SubscribeOptions::default()
        };
        self.follow_with(user, since, options).await
    }

    /// Streams the events of this user that the options select. Missed events are not filtered by the kind of change.
    pub async fn follow_with(
        &self,
        user: UserId,
        since: Since,
        options: SubscribeOptions,
    ) -> Result<ResumedStream, Error> {
        let only = options.only.clone();
        if matches!(since, Since::Cursor(_)) {
            self.check_epoch().await?;
        }
        // Subscribe before the replay, so that events during the replay wait in its queue.
        let subscription = self.subscribe(user, options).await?;
        let now = self.now();
        let start = EventCursor {
            epoch: subscription.epoch,
            position: subscription.position.clone(),
            at: now,
        };
        let mut stream = ResumedStream {
            opening: Opening::Started,
            start,
            user,
            subscription,
            replay: None,
        };
        match since {
            Since::Now => {}
            Since::Cursor(cursor)
                if cursor.epoch == stream.start.epoch
                    && !cursor.is_older_than(self.retention(), now)
                    && !cursor.position.is_beyond(&stream.start.position) =>
            {
                stream.opening = if stream.replay(self.log(), cursor, only).await? {
                    Opening::Resumed
                } else {
                    Opening::Reset
                };
            }
            Since::Cursor(_) | Since::Unknown => stream.opening = Opening::Reset,
        }
        Ok(stream)
    }
}

impl ResumedStream {
    /// How the stream began.
    #[must_use]
    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// The cursor after which the stream begins.
    #[must_use]
    pub fn start(&self) -> &EventCursor {
        &self.start
    }

    /// Whether the user is a member of this conversation, as of the last event of this stream.
    #[must_use]
    pub fn is_member_of(&self, conversation: ConversationId) -> bool {
        self.subscription.conversations.contains(&conversation)
    }

    /// The next event. None when the node stops. An error when this subscriber fell too far behind or the log cannot be
    /// read; the client then resumes after its last cursor.
    pub async fn next(&mut self) -> Option<Result<Arc<Entry>, Error>> {
        if let Some(replay) = &mut self.replay {
            match Box::pin(replay.next()).await {
                Ok(Some(entry)) => return Some(Ok(Arc::new(entry))),
                Ok(None) => self.replay = None,
                Err(error) => return Some(Err(error)),
            }
        }
        let next = self.subscription.next().await;
        if let Some(Ok(entry)) = &next
            && entry.stream == self.user.0
        {
            apply_membership(&mut self.subscription.conversations, entry);
        }
        next
    }

    /// Begins after this cursor instead. Returns false, and changes nothing, if events of the user's own stream are
    /// missing, so that it is unknown of which conversations they were a member.
    async fn replay(
        &mut self,
        log: Arc<dyn Log>,
        cursor: EventCursor,
        only: Option<HashSet<ConversationId>>,
    ) -> Result<bool, Error> {
        let (from, until) = (cursor.position.clone(), &self.start.position);
        let Some(changed) = changed_memberships(&*log, self.user, &from, until).await? else {
            return Ok(false);
        };
        let until = mem::replace(&mut self.start, cursor);
        let final_conversations = self.subscription.conversations.clone();
        let mut conversations = final_conversations.clone();
        for (conversation, was_member) in changed {
            if !was_member {
                conversations.remove(&conversation);
            }
        }
        self.replay = Some(Box::new(Replay {
            log,
            user: self.user,
            from,
            until,
            is_read: false,
            buffer: VecDeque::new(),
            conversations,
            final_conversations,
            only,
            contacts: HashMap::new(),
        }));
        Ok(true)
    }
}

impl Replay {
    fn wants(&self, conversation: ConversationId) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.contains(&conversation))
    }

    /// Whether the user receives events of this stream: their own, that of a conversation, or that of another user who
    /// shares one. Also if it is unknown.
    fn is_received(&self, stream: Uuid) -> bool {
        let conversation = ConversationId(stream);
        stream == self.user.0
            || self.final_conversations.contains(&conversation) && self.wants(conversation)
            || self.contacts.get(&UserId(stream)) != Some(&false)
    }

    /// Ends the replay: what follows is part of the state that the client loads again.
    fn end_with_reset(&mut self, missing: &Entry) -> Entry {
        self.buffer.clear();
        self.is_read = true;
        Entry {
            at: self.until.at,
            position: self.until.position.clone(),
            ..missing.reset()
        }
    }

    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            while let Some(entry) = self.buffer.pop_front() {
                if entry.change == Some(Change::StreamReset) {
                    if self.is_received(entry.stream) {
                        return Ok(Some(self.end_with_reset(&entry)));
                    }
                    continue;
                }
                if entry.stream == self.user.0 {
                    apply_membership(&mut self.conversations, &entry);
                    return Ok(Some(entry));
                }
                let (conversation, is_wanted) = match &entry.change {
                    Some(Change::UserChanged { user }) => match self.contacts.get(user) {
                        Some(true) => return Ok(Some(entry)),
                        _ => continue,
                    },
                    Some(Change::NotificationsAdded { to, message, .. }) => {
                        let may_concern = message.is_some() || to.contains_key(&self.user);
                        (ConversationId(entry.stream), may_concern)
                    }
                    Some(Change::PlainNotificationsRemoved { .. }) => {
                        (ConversationId(entry.stream), true)
                    }
                    Some(Change::ReadPositionChanged {
                        conversation,
                        is_shared,
                        ..
                    }) => (*conversation, *is_shared && self.wants(*conversation)),
                    _ => {
                        let conversation = ConversationId(entry.stream);
                        (conversation, self.wants(conversation))
                    }
                };
                // A user who has left since then has lost access to the events as well.
                if is_wanted
                    && self.conversations.contains(&conversation)
                    && self.final_conversations.contains(&conversation)
                {
                    return Ok(Some(entry));
                }
            }
            if self.is_read {
                return Ok(None);
            }
            let scope = Scope::Subscribed(self.user);
            let until = Some(&self.until.position);
            let batch = with_timeout(log_reader::after(
                &*self.log, &self.from, until, scope, BATCH,
            ))
            .await?;
            let contacts = self.load_contacts(&batch.entries).await;
            self.from = batch.position;
            self.is_read = batch.is_last;
            for mut entry in batch.entries {
                // Saves memory when many members of a large group reconnect: each needs only their own notification.
                if let Some(Change::NotificationsAdded { to, .. }) = &mut entry.change {
                    to.retain(|user, _| *user == self.user);
                }
                self.buffer.push_back(entry);
            }
            if let Err(error) = contacts {
                self.reset(&error);
            }
        }
    }

    /// Loads which of the users whose profiles changed, or whose events are missing, share a conversation with the user.
    async fn load_contacts(&mut self, entries: &[Entry]) -> Result<(), Error> {
        if self.contacts.len() > MAX_CONTACTS {
            self.contacts.clear();
        }
        let mut users: Vec<_> = entries.iter().filter_map(concerned).collect();
        users.retain(|user| *user != self.user && !self.contacts.contains_key(user));
        users.sort_unstable();
        users.dedup();
        if users.is_empty() {
            return Ok(());
        }
        let contacts = with_lookup_timeout(self.log.contacts_among(self.user, &users)).await?;
        let known = users
            .into_iter()
            .map(|user| (user, contacts.contains(&user)));
        self.contacts.extend(known);
        Ok(())
    }

    /// Ends the replay at the first event of which it is unknown whether the user receives it.
    fn reset(&mut self, error: &Error) {
        let is_unknown = |entry: &Entry| {
            let user = concerned(entry).filter(|user| *user != self.user);
            user.is_some_and(|user| !self.contacts.contains_key(&user))
        };
        let Some(first) = self.buffer.iter().position(is_unknown) else {
            return;
        };
        let unknown = self.buffer.drain(first..).next();
        if let Some(unknown) = unknown {
            tracing::warn!(%error, "it is unknown whether a subscriber missed an event; it loads its state again");
            self.buffer.push_back(unknown.reset());
            self.is_read = true;
        }
    }
}

/// The user whose profile changed, or whose events are missing. The stream of missing events may also be that of a
/// conversation, whose id no user has.
fn concerned(entry: &Entry) -> Option<UserId> {
    match entry.change {
        Some(Change::UserChanged { user }) => Some(user),
        Some(Change::StreamReset) => Some(UserId(entry.stream)),
        _ => None,
    }
}

/// For each conversation that the user joined or left between the two positions, whether they were a member at the
/// first position. `None` if events are missing.
async fn changed_memberships(
    log: &dyn Log,
    user: UserId,
    from: &LogPosition,
    until: &LogPosition,
) -> Result<Option<HashMap<ConversationId, bool>>, Error> {
    let mut found = HashMap::new();
    let mut position = from.clone();
    loop {
        let scope = Scope::Memberships(user);
        let reading = log_reader::after(log, &position, Some(until), scope, BATCH);
        let batch = with_timeout(reading).await?;
        for entry in batch.entries {
            let (conversation, was_member) = match entry.change {
                Some(Change::ConversationJoined { conversation }) => (conversation, false),
                Some(Change::ConversationLeft { conversation }) => (conversation, true),
                Some(Change::StreamReset) => return Ok(None),
                _ => continue,
            };
            found.entry(conversation).or_insert(was_member);
        }
        if batch.is_last {
            return Ok(Some(found));
        }
        position = batch.position;
    }
}

fn apply_membership(conversations: &mut HashSet<ConversationId>, own: &Entry) {
    match own.change {
        Some(Change::ConversationJoined { conversation }) => {
            conversations.insert(conversation);
        }
        Some(Change::ConversationLeft { conversation }) => {
            conversations.remove(&conversation);
        }
        _ => {}
    }
}
