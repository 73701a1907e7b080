//! Subscribers that wait until their memberships are loaded. Meanwhile the dispatcher continues to read the log, so the
//! changes of memberships that it reads in between are applied to what was loaded.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::Arc,
};

use super::{
    request::{JoinReply, Memberships, Request, conversations_of},
    state::HubState,
    subscribers::Subscriber,
};
use crate::{
    db::with_timeout,
    error::Error,
    id::{ConversationId, UserId},
    live::{entry::Entry, log::Change, memberships},
};

/// Lookups that run at the same time.
const MAX_LOOKUPS: usize = 4;
/// Subscribers whose memberships one lookup loads.
const MAX_JOINERS: usize = 500;

/// A subscriber that waits.
pub(super) type Joiner = (Box<Subscriber>, JoinReply);

/// The subscribers that wait.
#[derive(Default)]
pub(super) struct Admissions {
    joiners: Vec<Joiner>,
    last_number: u64,
    /// By number: the admissions whose lookup has begun.
    begun: BTreeMap<u64, Admission>,
}

/// Subscribers whose memberships are loaded together.
struct Admission {
    joiners: Vec<Joiner>,
    /// Sorted.
    users: Vec<UserId>,
    memberships: Option<Memberships>,
    /// Whether each of these users is a member, from the events that were read since the lookup began.
    changes: HashMap<(UserId, ConversationId), bool>,
}

/// Subscribers whose memberships are known.
pub(super) struct Admitted {
    pub(super) joiners: Vec<Joiner>,
    pub(super) conversations: CurrentMemberships,
}

/// The memberships at the end of the log that was read.
pub(super) struct CurrentMemberships {
    loaded: Memberships,
    changes: HashMap<(UserId, ConversationId), bool>,
}

impl Admissions {
    pub(super) fn add(&mut self, joiner: Joiner) {
        self.joiners.push(joiner);
    }

    /// Starts lookups for the subscribers that were added.
    pub(super) fn start(&mut self, hub: &Arc<HubState>) {
        let is_running = |admission: &&Admission| admission.memberships.is_none();
        let mut running = self.begun.values().filter(is_running).count();
        while running < MAX_LOOKUPS && !self.joiners.is_empty() {
            let later = self.joiners.split_off(self.joiners.len().min(MAX_JOINERS));
            let joiners = mem::replace(&mut self.joiners, later);
            let mut users: Vec<_> = joiners.iter().map(|(joiner, _)| joiner.user).collect();
            users.sort_unstable();
            users.dedup();
            self.last_number += 1;
            let number = self.last_number;
            let (log, loaded) = (Arc::clone(&hub.backend), users.clone());
            let lookup = async move { with_timeout(memberships::of(&*log, &loaded)).await };
            hub.spawn(lookup, move |found| Request::Memberships(number, found));
            let admission = Admission {
                joiners,
                users,
                memberships: None,
                changes: HashMap::new(),
            };
            self.begun.insert(number, admission);
            running += 1;
        }
    }

    /// Stores the result of a lookup.
    pub(super) fn loaded(&mut self, number: u64, found: Result<Memberships, Error>) {
        match found {
            Ok(memberships) => {
                if let Some(admission) = self.begun.get_mut(&number) {
                    admission.memberships = Some(memberships);
                }
            }
            Err(error) => {
                let admission = self.begun.remove(&number);
                reject(admission.into_iter().flat_map(|one| one.joiners), &error);
            }
        }
    }

    /// Records what an event that was read changes in the memberships that are being loaded.
    pub(super) fn record(&mut self, entry: &Entry) {
        let (conversation, is_member) = match entry.change {
            Some(Change::ConversationJoined { conversation }) => (conversation, true),
            Some(Change::ConversationLeft { conversation }) => (conversation, false),
            _ => return,
        };
        let user = UserId(entry.stream);
        for admission in self.begun.values_mut() {
            if admission.users.binary_search(&user).is_ok() {
                admission.changes.insert((user, conversation), is_member);
            }
        }
    }

    /// Whether memberships are loaded for which the log has to be read.
    pub(super) fn are_loaded(&self) -> bool {
        self.begun.values().any(|one| one.memberships.is_some())
    }

    /// The numbers of the admissions whose memberships are loaded. When the log has then been read to its end, all
    /// events before the lookup were read, and the later ones were recorded.
    pub(super) fn loaded_numbers(&self) -> Vec<u64> {
        let is_loaded = |(_, one): &(_, &Admission)| one.memberships.is_some();
        let loaded = self.begun.iter().filter(is_loaded);
        loaded.map(|(number, _)| *number).collect()
    }

    /// Removes an admission whose memberships are loaded.
    pub(super) fn take(&mut self, number: u64) -> Option<Admitted> {
        let admission = self.begun.remove(&number)?;
        Some(Admitted {
            joiners: admission.joiners,
            conversations: CurrentMemberships {
                loaded: admission.memberships?,
                changes: admission.changes,
            },
        })
    }

    /// Rejects the subscribers for whom the log would have to be read.
    pub(super) fn reject(&mut self, error: &Error) {
        for number in self.loaded_numbers() {
            let admission = self.begun.remove(&number);
            reject(admission.into_iter().flat_map(|one| one.joiners), error);
        }
        reject(self.joiners.drain(..), error);
    }
}

impl CurrentMemberships {
    /// The conversations of this user.
    pub(super) fn of(&self, user: UserId) -> HashSet<ConversationId> {
        let mut found: HashSet<_> = conversations_of(&self.loaded, user).collect();
        for (&(member, conversation), &is_member) in &self.changes {
            if member == user && is_member {
                found.insert(conversation);
            } else if member == user {
                found.remove(&conversation);
            }
        }
        found
    }
}

fn reject(joiners: impl IntoIterator<Item = Joiner>, error: &Error) {
    for (_, reply) in joiners {
        // Fails only when the subscriber no longer waits.
        let _ = reply.send(Err(error.clone()));
    }
}
