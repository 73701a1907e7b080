//! What was promised: who must hear what, followed from the commits themselves and from no place or cursor.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::database::{Sight, Stored};
use crate::{
    id::{ConversationId, UserId},
    live::{entry::Entry, log::Change, position::LogPosition},
};

/// A committed event, in its stream.
#[derive(Clone, Debug)]
struct Fact {
    position: i64,
    xid: u64,
    /// The how-manieth commit made it.
    moment: u64,
    change: Change,
}

/// From joining to leaving.
#[derive(Clone, Debug)]
struct Stay {
    /// The first event of the conversation that belongs to it, and the first that does not.
    from: usize,
    until: Option<usize>,
    /// Where the person's own stream tells of joining and leaving; no joining for who was always there.
    joined: Option<usize>,
    left: Option<usize>,
    /// The commit that ended it.
    ended: Option<u64>,
}

/// The log as it truly is, and who was where.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    moment: u64,
    streams: BTreeMap<Uuid, Vec<Fact>>,
    by_position: BTreeMap<i64, (Uuid, usize)>,
    stays: BTreeMap<(UserId, ConversationId), Vec<Stay>>,
}

/// What one listener has heard.
#[derive(Clone, Debug)]
pub(super) struct Hearing {
    user: UserId,
    /// Nothing from before is awaited.
    start: LogPosition,
    /// For each stream, its first event that was not heard.
    next: BTreeMap<Uuid, usize>,
    /// Commits there were when this connection was asked for, and when it stood.
    asked: u64,
    stood: u64,
}

impl Hearing {
    pub(super) fn new(user: UserId, start: LogPosition) -> Self {
        Self {
            user,
            start,
            next: BTreeMap::new(),
            asked: 0,
            stood: 0,
        }
    }

    /// A new connection goes on where this hearing is.
    pub(super) fn connects(&mut self, asked: u64, stood: u64) {
        self.asked = asked;
        self.stood = stood;
    }

    /// Forgets the last event heard, which [`Oracle::hears`] answered with this.
    pub(super) fn forgets(&mut self, (stream, next): (Uuid, Option<usize>)) {
        match next {
            Some(next) => self.next.insert(stream, next),
            None => self.next.remove(&stream),
        };
    }
}

impl Oracle {
    pub(super) fn moment(&self) -> u64 {
        self.moment
    }

    /// Somebody who was always there.
    pub(super) fn stays(&mut self, user: UserId, conversation: ConversationId) {
        self.stays.insert(
            (user, conversation),
            vec![Stay {
                from: 0,
                until: None,
                joined: None,
                left: None,
                ended: None,
            }],
        );
    }

    pub(super) fn committed(&mut self, rows: Vec<Stored>) {
        self.moment += 1;
        for stored in rows {
            let stream = stored.row.stream_id;
            let facts = self.streams.entry(stream).or_default();
            let (index, position) = (facts.len(), stored.row.position);
            assert!(facts.last().is_none_or(|last| last.position < position));
            facts.push(Fact {
                position,
                xid: stored.xid,
                moment: self.moment,
                change: stored.change.clone(),
            });
            self.by_position.insert(position, (stream, index));
            match stored.change {
                Change::ConversationJoined { conversation } => {
                    let from = self.streams.get(&conversation.0).map_or(0, Vec::len);
                    let stay = Stay {
                        from,
                        until: None,
                        joined: Some(index),
                        left: None,
                        ended: None,
                    };
                    let key = (UserId(stream), conversation);
                    self.stays.entry(key).or_default().push(stay);
                }
                Change::ConversationLeft { conversation } => {
                    let until = self.streams.get(&conversation.0).map_or(0, Vec::len);
                    let stays = self.stays.get_mut(&(UserId(stream), conversation));
                    let stay = stays.and_then(|stays| stays.last_mut()).unwrap();
                    stay.until = Some(until);
                    stay.left = Some(index);
                    stay.ended = Some(self.moment);
                }
                _ => {}
            }
        }
    }

    /// Takes note of what a listener hears next, or says what is wrong with it.
    pub(super) fn hears(
        &self,
        hearing: &mut Hearing,
        entry: &Entry,
    ) -> Result<(Uuid, Option<usize>), String> {
        let Some(&(stream, index)) = self.by_position.get(&entry.number) else {
            return Err("was never committed".to_owned());
        };
        let fact = &self.streams[&stream][index];
        let is_same = |change| theirs(hearing.user, change) == theirs(hearing.user, &fact.change);
        if stream != entry.stream || !entry.change.as_ref().is_some_and(is_same) {
            return Err(format!("is not what was committed: {fact:?}"));
        }
        let next = self.next(hearing, stream);
        if index < next {
            return Err(format!(
                "comes twice or too late: {index} of its stream, after {next}"
            ));
        }
        let conversation = ConversationId(stream);
        if stream == hearing.user.0 {
            if index > next {
                return Err(format!("comes before {next} of their own stream"));
            }
            if let Change::ConversationLeft { conversation } = fact.change {
                self.says_goodbye(hearing, conversation, index)?;
            }
        } else if let Some(stays) = self.stays.get(&(hearing.user, conversation)) {
            if !is_for(hearing.user, &fact.change) {
                return Err("is for others".to_owned());
            }
            self.belongs(hearing, conversation, stays, index)?;
        } else {
            let is_theirs = match fact.change {
                Change::UserChanged { .. } => {
                    let mut all = self.stays.keys();
                    all.any(|&(user, conversation)| {
                        user.0 == stream && self.stays.contains_key(&(hearing.user, conversation))
                    })
                }
                Change::ReadPositionChanged {
                    conversation,
                    is_shared,
                    ..
                } => is_shared && self.stays.contains_key(&(hearing.user, conversation)),
                _ => false,
            };
            if !is_theirs {
                return Err("is none of theirs".to_owned());
            }
            self.knows(hearing, UserId(stream), index)?;
        }
        Ok((stream, hearing.next.insert(stream, index + 1)))
    }

    /// Whether a listener who is connected, in a world that is quiet, lacks nothing.
    pub(super) fn is_kept(&self, hearing: &Hearing) -> Result<(), String> {
        let own = hearing.user.0;
        let (next, all) = (self.next(hearing, own), self.len(own));
        if next < all {
            return Err(format!("lacks {next} to {all} of their own stream"));
        }
        for ((user, conversation), stays) in &self.stays {
            if *user == hearing.user
                && let Some(stay) = stays.last()
            {
                let until = stay.until.unwrap_or_else(|| self.len(conversation.0));
                self.lacks_nothing(hearing, *conversation, stay, until)?;
            } else if *user != hearing.user
                && self.share_for_ever(*user, hearing.user, *conversation)
            {
                self.knows(hearing, *user, self.len(user.0))?;
            }
        }
        Ok(())
    }

    /// An event of a conversation comes between the news of joining and that of leaving.
    fn belongs(
        &self,
        hearing: &Hearing,
        conversation: ConversationId,
        stays: &[Stay],
        index: usize,
    ) -> Result<(), String> {
        let own = self.next(hearing, hearing.user.0);
        let among =
            |stay: &&Stay| stay.from <= index && stay.until.is_none_or(|until| index < until);
        let Some(stay) = stays.iter().find(among) else {
            return Err("happened while they were not there".to_owned());
        };
        if stay.joined.is_some_and(|joined| joined >= own) {
            return Err("comes before the news that they joined".to_owned());
        }
        if stay.left.is_some_and(|left| left < own) {
            return Err("comes after the news that they left".to_owned());
        }
        let is_last = stays.last().is_some_and(|last| last.from == stay.from);
        if is_last && stay.ended.is_some_and(|ended| ended <= hearing.asked) {
            return Err("comes by resuming, to somebody who has left".to_owned());
        }
        self.lacks_nothing(hearing, conversation, stay, index)
    }

    fn says_goodbye(
        &self,
        hearing: &Hearing,
        conversation: ConversationId,
        own: usize,
    ) -> Result<(), String> {
        let stays = self.stays.get(&(hearing.user, conversation));
        let mut stays = stays.into_iter().flatten();
        let Some(stay) = stays.find(|stay| stay.left == Some(own)) else {
            return Err("ends what never began".to_owned());
        };
        let until = stay.until.unwrap_or_default();
        self.lacks_nothing(hearing, conversation, stay, until)
    }

    /// All of a stay up to `until` was heard. Of one that is over they may lack what was to be replayed: by then
    /// they had lost access.
    fn lacks_nothing(
        &self,
        hearing: &Hearing,
        conversation: ConversationId,
        stay: &Stay,
        until: usize,
    ) -> Result<(), String> {
        let next = self.next(hearing, conversation.0).max(stay.from);
        let lacks = |index: &usize| {
            let fact = &self.streams[&conversation.0][*index];
            is_for(hearing.user, &fact.change)
                && (stay.ended.is_none() || fact.moment > hearing.stood)
        };
        match (next..until).find(lacks) {
            Some(index) => {
                let fact = &self.streams[&conversation.0][index];
                Err(format!("finds {index} of {conversation} missing: {fact:?}"))
            }
            None => Ok(()),
        }
    }

    /// New profiles are heard by those who share a conversation, and shared read positions by those who take part in
    /// theirs; by those who always did, all of them.
    fn knows(&self, hearing: &Hearing, other: UserId, until: usize) -> Result<(), String> {
        let next = self.next(hearing, other.0);
        let facts = self.streams.get(&other.0);
        let mut lacking = facts.into_iter().flat_map(|facts| &facts[next..until]);
        let is_certain = |fact: &&Fact| match fact.change {
            Change::UserChanged { .. } => {
                let mut all = self.stays.keys();
                all.any(|&(_, conversation)| self.share_for_ever(other, hearing.user, conversation))
            }
            Change::ReadPositionChanged {
                conversation,
                is_shared: true,
                ..
            } => self.share_for_ever(other, hearing.user, conversation),
            _ => false,
        };
        match lacking.find(is_certain) {
            Some(fact) => Err(format!("finds news of somebody else missing: {fact:?}")),
            None => Ok(()),
        }
    }

    /// Whether both are in this conversation, which neither ever joined nor left.
    fn share_for_ever(&self, one: UserId, other: UserId, conversation: ConversationId) -> bool {
        let stays = |user| {
            let stays = self.stays.get(&(user, conversation));
            stays.is_some_and(|stays| stays[0].joined.is_none() && stays[0].left.is_none())
        };
        stays(one) && stays(other)
    }

    fn len(&self, stream: Uuid) -> usize {
        self.streams.get(&stream).map_or(0, Vec::len)
    }

    fn next(&self, hearing: &Hearing, stream: Uuid) -> usize {
        let known = hearing.next.get(&stream).copied();
        known.unwrap_or_else(|| {
            let facts = self.streams.get(&stream);
            let is_before = |fact: &Fact| covers(&hearing.start, fact);
            facts.map_or(0, |facts| facts.partition_point(is_before))
        })
    }
}

/// What somebody needs of it: a replay leaves out the notifications of others.
fn theirs(user: UserId, change: &Change) -> Change {
    let mut change = change.clone();
    if let Change::NotificationsAdded { to } = &mut change {
        to.retain(|other, _| *other == user);
    }
    change
}

/// Whether somebody in the conversation is to hear of it.
fn is_for(user: UserId, change: &Change) -> bool {
    match change {
        Change::NotificationsAdded { to } => to.contains_key(&user),
        _ => true,
    }
}

/// Whether somebody at this place has been told of it.
fn covers(place: &LogPosition, fact: &Fact) -> bool {
    match place {
        LogPosition::Position(position) => fact.position <= *position,
        LogPosition::Snapshot(seen) => Sight::of(&seen.to_sql()).sees(fact.xid),
        LogPosition::Inside {
            seen,
            next,
            position,
        } => {
            Sight::of(&seen.to_sql()).sees(fact.xid)
                || (fact.position <= *position && Sight::of(&next.to_sql()).sees(fact.xid))
        }
    }
}
