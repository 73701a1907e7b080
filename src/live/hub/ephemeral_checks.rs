//! Loads ephemeral events, and the audiences of presence that the hub does not know, in tasks of their own.

use std::{mem, sync::Arc};

use uuid::Uuid;

use super::{
    audiences::distinct,
    request::{Memberships, Request, conversations_of},
    state::HubState,
    subscribers::Subscribers,
};
use crate::{
    db::{with_lookup_timeout, with_timeout},
    error::Error,
    id::UserId,
    live::{
        ephemeral::{Ephemeral, SeenEphemeral},
        log::Change,
        memberships,
    },
};

/// An ephemeral event and its streams.
pub(super) type Addressed = (Ephemeral, Vec<Uuid>);

/// The ephemeral events that are being loaded.
#[derive(Debug)]
pub(super) struct EphemeralChecks {
    /// None while a check runs.
    seen: Option<SeenEphemeral>,
    is_due: bool,
    /// Whether a check or a lookup failed. It is repeated with the next sweep, until the events are too old.
    has_failed: bool,
    /// Presence whose audience is not known yet.
    waiting: Vec<Ephemeral>,
    is_looking_up: bool,
    /// Events whose audience could not be loaded.
    lost: Vec<Ephemeral>,
}

impl EphemeralChecks {
    pub(super) fn new() -> Self {
        Self {
            seen: Some(SeenEphemeral::default()),
            is_due: true,
            has_failed: false,
            waiting: vec![],
            is_looking_up: false,
            lost: vec![],
        }
    }

    pub(super) fn request(&mut self) {
        self.is_due = true;
    }

    /// Requests what failed. On a database that other nodes use too, their wake-ups may be lost.
    pub(super) fn sweep(&mut self, is_shared: bool) {
        self.is_due |= is_shared | mem::take(&mut self.has_failed);
    }

    /// Starts the requested check, and the lookup of audiences.
    pub(super) fn start(&mut self, hub: &Arc<HubState>, subscribers: &Subscribers) {
        if subscribers.is_empty() {
            self.is_due = false;
        }
        if self.is_due
            && let Some(mut seen) = self.seen.take()
        {
            self.is_due = false;
            seen.forget(mem::take(&mut self.lost));
            let (backend, now) = (Arc::clone(&hub.backend), hub.clock.now());
            let check = async move {
                let found = with_timeout(backend.ephemeral(&mut seen, now)).await;
                Ok((seen, found))
            };
            hub.spawn(check, |result| match result {
                Ok((seen, found)) => Request::Ephemeral(seen, found),
                Err(error) => Request::Ephemeral(SeenEphemeral::default(), Err(error)),
            });
        }
        if !self.is_looking_up && !self.waiting.is_empty() {
            self.is_looking_up = true;
            let waiting = mem::take(&mut self.waiting);
            let users = distinct(waiting.iter().filter_map(presence_of));
            let log = Arc::clone(&hub.backend);
            let lookup = async move { with_lookup_timeout(memberships::of(&*log, &users)).await };
            hub.spawn(lookup, |found| Request::PresenceAudiences(waiting, found));
        }
    }

    /// A check has ended. Returns the events whose streams are known.
    pub(super) fn loaded(
        &mut self,
        subscribers: &Subscribers,
        seen: SeenEphemeral,
        found: Result<Vec<Ephemeral>, Error>,
    ) -> Vec<Addressed> {
        self.seen = Some(seen);
        let Ok(found) = found else {
            self.has_failed = true;
            return vec![];
        };
        let mut addressed = vec![];
        for event in found {
            let streams = match event.change {
                Change::TypingChanged { conversation, .. } => Some(vec![conversation.0]),
                Change::PresenceChanged { user } => subscribers
                    .conversations_of(user)
                    .map(|conversations| [&[user.0], conversations.as_slice()].concat()),
                _ => None,
            };
            match streams {
                Some(streams) => addressed.push((event, streams)),
                None => self.waiting.push(event),
            }
        }
        addressed
    }

    /// A lookup has ended. Returns the events whose streams it has found.
    pub(super) fn looked_up(
        &mut self,
        events: Vec<Ephemeral>,
        found: Result<Memberships, Error>,
    ) -> Vec<Addressed> {
        self.is_looking_up = false;
        let Ok(memberships) = found else {
            self.has_failed = true;
            self.lost.extend(events);
            return vec![];
        };
        let streams = |event: &Ephemeral| {
            let user = presence_of(event);
            let of = |user| conversations_of(&memberships, user).map(|id| id.0);
            user.into_iter()
                .flat_map(|user| of(user).chain([user.0]))
                .collect()
        };
        events
            .into_iter()
            .map(|event| {
                let streams = streams(&event);
                (event, streams)
            })
            .collect()
    }
}

fn presence_of(event: &Ephemeral) -> Option<UserId> {
    match event.change {
        Change::PresenceChanged { user } => Some(user),
        _ => None,
    }
}
