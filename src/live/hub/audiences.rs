//! Lookups of the recipients of profile changes, for users without a subscriber on this node. They run in tasks, so that
//! the log is read meanwhile.

use std::{mem, sync::Arc};

use super::{
    request::{ProfileChange, Request},
    state::HubState,
};
use crate::{db::with_lookup_timeout, id::UserId, live::memberships};

/// Lookups that run at the same time. What changes meanwhile shares the next one.
const MAX_LOOKUPS: usize = 2;

/// The profile changes whose recipients are not known yet.
#[derive(Debug, Default)]
pub(super) struct AudienceLookups {
    waiting: Vec<ProfileChange>,
    running: usize,
}

impl AudienceLookups {
    pub(super) fn add(&mut self, change: ProfileChange) {
        self.waiting.push(change);
    }

    /// Starts a lookup for the changes that were added, if not too many run.
    pub(super) fn start(&mut self, hub: &Arc<HubState>) {
        if self.waiting.is_empty() || self.running >= MAX_LOOKUPS {
            return;
        }
        self.running += 1;
        let changes = mem::take(&mut self.waiting);
        let users = distinct(changes.iter().map(|change| change.user));
        let log = Arc::clone(&hub.backend);
        let lookup = async move { with_lookup_timeout(memberships::of(&*log, &users)).await };
        hub.spawn(lookup, move |found| Request::Audiences(changes, found));
    }

    /// A lookup has ended.
    pub(super) fn end(&mut self) {
        self.running -= 1;
    }
}

/// The users in ascending order, each once.
pub(super) fn distinct(users: impl Iterator<Item = UserId>) -> Vec<UserId> {
    let mut users: Vec<_> = users.collect();
    users.sort_unstable();
    users.dedup();
    users
}
