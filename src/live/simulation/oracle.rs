//! Decides what each client must receive. It follows from the commits alone, not from positions or cursors.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::database::{Stored, VisibleTransactions};
use crate::{
    id::{ConversationId, UserId},
    live::{entry::Entry, log::Change, position::LogPosition},
};

/// A committed event of a stream.
#[derive(Clone, Debug)]
struct Committed {
    number: i64,
    xid: u64,
    /// The count of commits when it was committed.
    commit: u64,
    change: Change,
}

/// A user's membership of a conversation, from joining to leaving.
#[derive(Clone, Debug)]
struct Membership {
    /// The index of the first event of the conversation during the membership, and of the first one after it.
    from: usize,
    until: Option<usize>,
    /// The indexes of the events of joining and leaving in the user's own stream; no joining for an initial member.
    joined: Option<usize>,
    left: Option<usize>,
    /// The commit that ended it.
    ended: Option<u64>,
}

/// All committed events and memberships.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    commits: u64,
    streams: BTreeMap<Uuid, Vec<Committed>>,
    by_number: BTreeMap<i64, (Uuid, usize)>,
    /// The events that represent the deleted ones of their stream.
    markers: BTreeSet<i64>,
    memberships: BTreeMap<(UserId, ConversationId), Vec<Membership>>,
}

/// What one client has received.
#[derive(Clone, Debug)]
pub(super) struct Received {
    user: UserId,
    /// Events before this position are not expected.
    start: LogPosition,
    /// For each stream, the index of the first event that was not received.
    next: BTreeMap<Uuid, usize>,
    /// The counts of commits when the current connection was requested and when it was open.
    requested: u64,
    opened: u64,
}

impl Received {
    pub(super) fn new(user: UserId, start: LogPosition) -> Self {
        Self {
            user,
            start,
            next: BTreeMap::new(),
            requested: 0,
            opened: 0,
        }
    }

    /// Continues on a new connection.
    pub(super) fn connect(&mut self, requested: u64, opened: u64) {
        self.requested = requested;
        self.opened = opened;
    }

    /// Expects no event before this position any more.
    pub(super) fn reset(&mut self, start: LogPosition) {
        self.start = start;
        self.next.clear();
    }

    /// Undoes the receipt of the last event, for which [`Oracle::receive`] returned this.
    pub(super) fn undo(&mut self, (stream, next): (Uuid, Option<usize>)) {
        match next {
            Some(next) => self.next.insert(stream, next),
            None => self.next.remove(&stream),
        };
    }
}

impl Oracle {
    /// The count of commits.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Adds an initial member.
    pub(super) fn add_member(&mut self, user: UserId, conversation: ConversationId) {
        self.memberships.insert(
            (user, conversation),
            vec![Membership {
                from: 0,
                until: None,
                joined: None,
                left: None,
                ended: None,
            }],
        );
    }

    pub(super) fn commit(&mut self, rows: Vec<Stored>) {
        self.commits += 1;
        for stored in rows {
            let stream = stored.row.stream_id;
            let events = self.streams.entry(stream).or_default();
            let (index, number) = (events.len(), stored.row.position);
            assert!(events.last().is_none_or(|last| last.number < number));
            events.push(Committed {
                number,
                xid: stored.xid,
                commit: self.commits,
                change: stored.change.clone(),
            });
            self.by_number.insert(number, (stream, index));
            match stored.change {
                Change::ConversationJoined { conversation } => {
                    let from = self.streams.get(&conversation.0).map_or(0, Vec::len);
                    let membership = Membership {
                        from,
                        until: None,
                        joined: Some(index),
                        left: None,
                        ended: None,
                    };
                    let key = (UserId(stream), conversation);
                    self.memberships.entry(key).or_default().push(membership);
                }
                Change::ConversationLeft { conversation } => {
                    let until = self.streams.get(&conversation.0).map_or(0, Vec::len);
                    let all = self.memberships.get_mut(&(UserId(stream), conversation));
                    let last = all.and_then(|all| all.last_mut()).unwrap();
                    last.until = Some(until);
                    last.left = Some(index);
                    last.ended = Some(self.commits);
                }
                _ => {}
            }
        }
    }

    /// Records that these events represent deleted ones.
    pub(super) fn trim(&mut self, markers: Vec<i64>) {
        self.markers.extend(markers);
    }

    /// Whether events of the user's own stream after this position are deleted.
    pub(super) fn is_trimmed_after(&self, user: UserId, position: &LogPosition) -> bool {
        let own = self.streams.get(&user.0).into_iter().flatten();
        own.filter(|committed| self.markers.contains(&committed.number))
            .any(|committed| !covers(position, committed))
    }

    /// Records the event that a client receives next. The error completes the sentence "receives an event, which …".
    pub(super) fn receive(
        &self,
        received: &mut Received,
        entry: &Entry,
    ) -> Result<(Uuid, Option<usize>), String> {
        let Some(&(stream, index)) = self.by_number.get(&entry.number) else {
            return Err("was never committed".to_owned());
        };
        let committed = &self.streams[&stream][index];
        let is_same = |change| {
            as_delivered(received.user, change) == as_delivered(received.user, &committed.change)
        };
        if stream != entry.stream || !entry.change.as_ref().is_some_and(is_same) {
            return Err(format!("differs from the committed {committed:?}"));
        }
        let next = self.next(received, stream);
        if index < next {
            return Err(format!(
                "is repeated or late: index {index} of its stream, after {next}"
            ));
        }
        let conversation = ConversationId(stream);
        if stream == received.user.0 {
            if index > next {
                return Err(format!("precedes index {next} of their own stream"));
            }
            if let Change::ConversationLeft { conversation } = committed.change {
                self.check_left(received, conversation, index)?;
            }
        } else if let Some(memberships) = self.memberships.get(&(received.user, conversation)) {
            if !is_for(received.user, &committed.change) {
                return Err("is for other users".to_owned());
            }
            self.check_member_event(received, conversation, memberships, index)?;
        } else {
            let may_receive = match committed.change {
                Change::UserChanged { .. } => self.receives(received.user, stream),
                Change::ReadPositionChanged {
                    conversation,
                    is_shared,
                    ..
                } => {
                    let key = (received.user, conversation);
                    is_shared && self.memberships.contains_key(&key)
                }
                _ => false,
            };
            if !may_receive {
                return Err("is on a stream that they do not receive".to_owned());
            }
            self.check_contact_events(received, UserId(stream), index)?;
        }
        Ok((stream, received.next.insert(stream, index + 1)))
    }

    /// Checks that a stream was reset for a reason: deleted events that the client has not received, or a profile change
    /// whose audience could not be looked up. Returns the reason. The error completes the sentence "receives an event,
    /// which …".
    pub(super) fn check_reset(
        &self,
        received: &Received,
        entry: &Entry,
        lookup_failed_at: i64,
    ) -> Result<&'static str, String> {
        let Some(&(stream, index)) = self.by_number.get(&entry.number) else {
            return Err("was never committed".to_owned());
        };
        let change = &self.streams[&stream][index].change;
        let is_marker = self.markers.contains(&entry.number);
        if is_marker && index < self.next(received, stream) {
            return Err(format!("replaces {change:?}, which they have received"));
        }
        if is_marker && self.receives(received.user, stream) {
            return Ok("streams reset by deleted events");
        }
        let needs_lookup = is_marker || matches!(change, Change::UserChanged { .. });
        if needs_lookup && entry.number <= lookup_failed_at {
            return Ok("streams reset by a lookup");
        }
        Err(format!("replaces {change:?}, whose audience was known"))
    }

    /// Whether the user has ever received events of this stream.
    fn receives(&self, user: UserId, stream: Uuid) -> bool {
        let is_contact = |&(other, conversation): &(UserId, ConversationId)| {
            other.0 == stream && self.memberships.contains_key(&(user, conversation))
        };
        stream == user.0
            || self
                .memberships
                .contains_key(&(user, ConversationId(stream)))
            || self.memberships.keys().any(is_contact)
    }

    /// Checks that a client that is connected in a quiet phase has received everything.
    pub(super) fn check_all_received(&self, received: &Received) -> Result<(), String> {
        let own = received.user.0;
        let (next, all) = (self.next(received, own), self.len(own));
        if next < all {
            return Err(format!("misses {next} to {all} of their own stream"));
        }
        for ((user, conversation), memberships) in &self.memberships {
            if *user == received.user
                && let Some(last) = memberships.last()
            {
                let until = last.until.unwrap_or_else(|| self.len(conversation.0));
                self.check_complete(received, *conversation, last, until)?;
            } else if *user != received.user
                && self.are_permanent_members(*user, received.user, *conversation)
            {
                self.check_contact_events(received, *user, self.len(user.0))?;
            }
        }
        Ok(())
    }

    /// A conversation event is received between the events of joining and leaving.
    fn check_member_event(
        &self,
        received: &Received,
        conversation: ConversationId,
        memberships: &[Membership],
        index: usize,
    ) -> Result<(), String> {
        let own = self.next(received, received.user.0);
        let contains =
            |one: &&Membership| one.from <= index && one.until.is_none_or(|until| index < until);
        let Some(membership) = memberships.iter().find(contains) else {
            return Err("happened while they were not a member".to_owned());
        };
        if membership.joined.is_some_and(|joined| joined >= own) {
            return Err("precedes the event that they joined".to_owned());
        }
        if membership.left.is_some_and(|left| left < own) {
            return Err("follows the event that they left".to_owned());
        }
        let is_last = memberships
            .last()
            .is_some_and(|last| last.from == membership.from);
        if is_last
            && membership
                .ended
                .is_some_and(|end| end <= received.requested)
        {
            return Err("is replayed to a user who has left".to_owned());
        }
        self.check_complete(received, conversation, membership, index)
    }

    fn check_left(
        &self,
        received: &Received,
        conversation: ConversationId,
        own: usize,
    ) -> Result<(), String> {
        let all = self.memberships.get(&(received.user, conversation));
        let mut all = all.into_iter().flatten();
        let Some(membership) = all.find(|one| one.left == Some(own)) else {
            return Err("ends a membership that never began".to_owned());
        };
        let until = membership.until.unwrap_or_default();
        self.check_complete(received, conversation, membership, until)
    }

    /// All events of a membership before `until` were received. Of a membership that has ended, those may be missing
    /// that were to be replayed, because the user had lost access by then.
    fn check_complete(
        &self,
        received: &Received,
        conversation: ConversationId,
        membership: &Membership,
        until: usize,
    ) -> Result<(), String> {
        let next = self.next(received, conversation.0).max(membership.from);
        let is_required = |index: &usize| {
            let committed = &self.streams[&conversation.0][*index];
            is_for(received.user, &committed.change)
                && (membership.ended.is_none() || committed.commit > received.opened)
        };
        match (next..until).find(is_required) {
            Some(index) => {
                let committed = &self.streams[&conversation.0][index];
                Err(format!(
                    "misses index {index} of {conversation}: {committed:?}"
                ))
            }
            None => Ok(()),
        }
    }

    /// Profile changes go to users who share a conversation, and shared read positions to the members of their
    /// conversation. Permanent members must receive all of them.
    fn check_contact_events(
        &self,
        received: &Received,
        other: UserId,
        until: usize,
    ) -> Result<(), String> {
        let next = self.next(received, other.0);
        let events = self.streams.get(&other.0);
        let mut missing = events.into_iter().flat_map(|events| &events[next..until]);
        let is_required = |committed: &&Committed| match committed.change {
            Change::UserChanged { .. } => {
                let mut all = self.memberships.keys();
                all.any(|&(_, conversation)| {
                    self.are_permanent_members(other, received.user, conversation)
                })
            }
            Change::ReadPositionChanged {
                conversation,
                is_shared: true,
                ..
            } => self.are_permanent_members(other, received.user, conversation),
            _ => false,
        };
        match missing.find(is_required) {
            Some(committed) => Err(format!("misses an event of a contact: {committed:?}")),
            None => Ok(()),
        }
    }

    /// Whether both users are initial members of this conversation who never left.
    fn are_permanent_members(&self, one: UserId, other: UserId, id: ConversationId) -> bool {
        let is_permanent = |user| {
            let all = self.memberships.get(&(user, id));
            all.is_some_and(|all| all[0].joined.is_none() && all[0].left.is_none())
        };
        is_permanent(one) && is_permanent(other)
    }

    fn len(&self, stream: Uuid) -> usize {
        self.streams.get(&stream).map_or(0, Vec::len)
    }

    fn next(&self, received: &Received, stream: Uuid) -> usize {
        let next = received.next.get(&stream).copied();
        next.unwrap_or_else(|| {
            let events = self.streams.get(&stream);
            let is_before = |committed: &Committed| covers(&received.start, committed);
            events.map_or(0, |events| events.partition_point(is_before))
        })
    }
}

/// The change without what a replay leaves out: the notifications of other users.
fn as_delivered(user: UserId, change: &Change) -> Change {
    let mut change = change.clone();
    if let Change::NotificationsAdded { to, .. } = &mut change {
        to.retain(|other, _| *other == user);
    }
    change
}

/// Whether a member of the conversation must receive the change.
fn is_for(user: UserId, change: &Change) -> bool {
    match change {
        Change::NotificationsAdded { to, message, .. } => {
            message.is_some() || to.contains_key(&user)
        }
        _ => true,
    }
}

/// Whether the event was delivered at this position.
fn covers(position: &LogPosition, committed: &Committed) -> bool {
    match position {
        LogPosition::Position(number) => committed.number <= *number,
        LogPosition::Snapshot(seen) => {
            VisibleTransactions::of(&seen.to_sql()).contains(committed.xid)
        }
        LogPosition::Inside { seen, next, number } => {
            VisibleTransactions::of(&seen.to_sql()).contains(committed.xid)
                || (committed.number <= *number
                    && VisibleTransactions::of(&next.to_sql()).contains(committed.xid))
        }
    }
}
