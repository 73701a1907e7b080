//! One person's events in order: first what they missed, from the log, then what happens, from the
//! hub, without a seam between the two.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    cursor::Cursor,
    entry::Entry,
    hub::{Hub, SubscribeOptions, Subscription},
    log::Change,
    log_reader::{self, Log, Scope},
    position::LogPosition,
};
use crate::{
    db::with_timeout,
    error::Error,
    id::{ConversationId, UserId},
};

/// Missed events read by one statement.
const BATCH: usize = 200;

/// From where to follow.
#[derive(Clone, Debug)]
pub enum Since {
    /// From now.
    Now,
    /// From just after this.
    Cursor(Cursor),
    /// From a cursor that says nothing to us.
    Unknown,
}

/// How a stream began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It starts now.
    Started,
    /// Everything since the given cursor follows.
    Resumed,
    /// What came after the given cursor is not known; it starts now.
    Reset,
}

/// Events of one person, one after the other.
#[derive(Debug)]
pub struct ResumedStream {
    opening: Opening,
    start: Cursor,
    user: UserId,
    subscription: Subscription,
    /// Apart, as is what it takes to read it: most have come to its end.
    replay: Option<Box<Replay>>,
}

#[derive(Debug)]
struct Replay {
    log: Arc<dyn Log>,
    user: UserId,
    from: LogPosition,
    until: LogPosition,
    is_read: bool,
    waiting: VecDeque<Entry>,
    /// The conversations whose events are theirs at this point of the log.
    conversations: HashSet<ConversationId>,
    /// Those that they took part in when the replay ends.
    later: HashSet<ConversationId>,
    /// Those that are wanted, of what happens in conversations; none for all.
    only: Option<HashSet<ConversationId>>,
}

impl Hub {
    /// Follows what this person hears, in all their conversations or `only` in some.
    pub async fn follow(
        &self,
        user: UserId,
        since: Since,
        only: Option<HashSet<ConversationId>>,
    ) -> Result<ResumedStream, Error> {
        let wanted = SubscribeOptions {
            only,
            ..SubscribeOptions::default()
        };
        self.follow_wanted(user, since, wanted).await
    }

    /// Follows what is wanted. What was missed may hold other changes as well.
    pub async fn follow_wanted(
        &self,
        user: UserId,
        since: Since,
        wanted: SubscribeOptions,
    ) -> Result<ResumedStream, Error> {
        let only = wanted.only.clone();
        // The hub first: what happens while the log is read then waits in its queue.
        let subscription = self.subscribe(user, wanted).await?;
        let now = self.now();
        let begins_now = Cursor {
            place: subscription.place.clone(),
            at: now,
        };
        let mut following = ResumedStream {
            opening: Opening::Started,
            start: begins_now,
            user,
            subscription,
            replay: None,
        };
        match since {
            Since::Now => {}
            Since::Cursor(cursor)
                if !cursor.is_older_than(self.retention(), now)
                    && !cursor.place.is_beyond(&following.start.place) =>
            {
                let until = following.start.place.clone();
                following.opening = Opening::Resumed;
                following.start = cursor;
                following.resume(self.log(), until, only).await?;
            }
            Since::Cursor(_) | Since::Unknown => following.opening = Opening::Reset,
        }
        Ok(following)
    }
}

impl ResumedStream {
    /// How it began.
    #[must_use]
    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// The place from which everything follows.
    #[must_use]
    pub fn start(&self) -> &Cursor {
        &self.start
    }

    /// Whether the person takes part in this conversation, as far as this stream has come.
    #[must_use]
    pub fn is_member_of(&self, conversation: ConversationId) -> bool {
        self.subscription.conversations.contains(&conversation)
    }

    /// The next event; none when the node stops, an error when this reader fell too far behind or
    /// the log cannot be read. After an error, resume.
    pub async fn next(&mut self) -> Option<Result<Arc<Entry>, Error>> {
        if let Some(replay) = &mut self.replay {
            match Box::pin(replay.next()).await {
                Ok(Some(entry)) => return Some(Ok(Arc::new(entry))),
                Ok(None) => self.replay = None,
                Err(error) => return Some(Err(error)),
            }
        }
        let heard = self.subscription.next().await;
        if let Some(Ok(entry)) = &heard
            && entry.stream == self.user.0
        {
            follow_membership(&mut self.subscription.conversations, entry);
        }
        heard
    }

    async fn resume(
        &mut self,
        log: Arc<dyn Log>,
        until: LogPosition,
        only: Option<HashSet<ConversationId>>,
    ) -> Result<(), Error> {
        let from = self.start.place.clone();
        let later = self.subscription.conversations.clone();
        let mut conversations = later.clone();
        for (conversation, took_part) in first_known(&*log, self.user, &from, &until).await? {
            if !took_part {
                conversations.remove(&conversation);
            }
        }
        self.replay = Some(Box::new(Replay {
            log,
            user: self.user,
            from,
            until,
            is_read: false,
            waiting: VecDeque::new(),
            conversations,
            later,
            only,
        }));
        Ok(())
    }
}

impl Replay {
    fn wants(&self, conversation: ConversationId) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.contains(&conversation))
    }

    async fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            while let Some(entry) = self.waiting.pop_front() {
                if entry.stream == self.user.0 {
                    follow_membership(&mut self.conversations, &entry);
                    return Ok(Some(entry));
                }
                let (conversation, is_wanted) = match &entry.change {
                    Some(Change::UserChanged { .. }) => return Ok(Some(entry)),
                    Some(Change::NotificationsAdded { to }) => {
                        (ConversationId(entry.stream), to.contains_key(&self.user))
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
                let is_theirs = |all: &HashSet<_>| all.contains(&conversation);
                if is_wanted && is_theirs(&self.conversations) && is_theirs(&self.later) {
                    return Ok(Some(entry));
                }
            }
            if self.is_read {
                return Ok(None);
            }
            let scope = Scope::Heard(self.user);
            let until = Some(&self.until);
            let batch = with_timeout(log_reader::after(
                &*self.log, &self.from, until, scope, BATCH,
            ))
            .await?;
            self.from = batch.place;
            self.is_read = batch.is_last;
            for mut entry in batch.entries {
                // Of a large group's notifications they need their own only, and many may come back at once.
                if let Some(Change::NotificationsAdded { to }) = &mut entry.change {
                    to.retain(|user, _| *user == self.user);
                }
                self.waiting.push_back(entry);
            }
        }
    }
}

/// For each conversation that the person joined or left between the two places: whether they took
/// part at the first of them.
async fn first_known(
    log: &dyn Log,
    user: UserId,
    from: &LogPosition,
    until: &LogPosition,
) -> Result<HashMap<ConversationId, bool>, Error> {
    let mut known = HashMap::new();
    let mut place = from.clone();
    loop {
        let scope = Scope::Memberships(user);
        let batch = with_timeout(log_reader::after(log, &place, Some(until), scope, BATCH)).await?;
        for entry in batch.entries {
            let (conversation, took_part) = match entry.change {
                Some(Change::ConversationJoined { conversation }) => (conversation, false),
                Some(Change::ConversationLeft { conversation }) => (conversation, true),
                _ => continue,
            };
            known.entry(conversation).or_insert(took_part);
        }
        if batch.is_last {
            return Ok(known);
        }
        place = batch.place;
    }
}

fn follow_membership(conversations: &mut HashSet<ConversationId>, own: &Entry) {
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

impl Cursor {
    /// The cursor just after an event.
    #[must_use]
    pub fn after(entry: &Entry) -> Self {
        Self {
            place: entry.position.clone(),
            at: entry.at,
        }
    }
}
