//! What the dispatcher receives: requests of the handles of the hub, and results of the tasks that the dispatcher has
//! started.

use std::{collections::HashSet, sync::Arc};

use tokio::sync::oneshot;

use super::{outlet::Awaited, subscribers::Subscriber};
use crate::{
    error::Error,
    id::{ConversationId, UserId},
    live::{
        ephemeral::{Ephemeral, SeenEphemeral},
        epoch::LogEpoch,
        position::LogPosition,
    },
};

/// The reply to a request to join.
pub(super) type JoinReply = oneshot::Sender<Result<Joined, Error>>;
/// Memberships, sorted by user and conversation.
pub(super) type Memberships = Vec<(UserId, ConversationId)>;

/// A message to the dispatcher.
pub(super) enum Request {
    /// Add a subscriber.
    Join(Box<Subscriber>, JoinReply),
    /// Remove a subscriber.
    Leave(u64),
    /// The log was replaced: start again at its end.
    Restart(oneshot::Sender<()>),
    /// Check sessions that are watched but were never looked up.
    CheckSessions,
    /// A check of sessions has ended.
    SessionsChecked(Result<CheckScope, Error>),
    /// An awaited event is decided, for which these subscribers wait.
    Release(Vec<u64>),
    /// The memberships of the users whose profiles changed are loaded.
    Audiences(Vec<ProfileChange>, Result<Memberships, Error>),
    /// The memberships of the users of this admission are loaded.
    Memberships(u64, Result<Memberships, Error>),
    /// Ephemeral events are loaded.
    Ephemeral(SeenEphemeral, Result<Vec<Ephemeral>, Error>),
    /// The memberships of the users whose presence changed are loaded.
    PresenceAudiences(Vec<Ephemeral>, Result<Memberships, Error>),
}

/// The sessions to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CheckScope {
    /// Those that were never looked up.
    New,
    All,
}

/// A profile change whose recipients are looked up.
#[derive(Debug)]
pub(super) struct ProfileChange {
    pub(super) user: UserId,
    pub(super) awaited: Arc<Awaited>,
    /// The subscribers that wait for it, in ascending order.
    pub(super) ids: Arc<[u64]>,
}

/// Where a subscription begins.
pub(super) struct Joined {
    pub(super) id: u64,
    pub(super) epoch: LogEpoch,
    pub(super) position: LogPosition,
    pub(super) conversations: HashSet<ConversationId>,
}

/// The part of sorted memberships that belongs to this user.
pub(super) fn conversations_of(
    memberships: &[(UserId, ConversationId)],
    user: UserId,
) -> impl Iterator<Item = ConversationId> {
    let first = memberships.partition_point(|(member, _)| *member < user);
    memberships
        .iter()
        .skip(first)
        .take_while(move |(member, _)| *member == user)
        .map(|(_, conversation)| *conversation)
}
