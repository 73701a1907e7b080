//! One decoded event of the log, and the slots of the payload cache that travel with it.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock, Weak},
};

use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{log::Change, position::LogPosition};
use crate::id::UserId;

/// An event of the log, decoded once for all subscribers of this node.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The id of the conversation or user whose stream it belongs to.
    pub stream: Uuid,
    /// Its row number in the log. An ephemeral event has no row, but a negative number that no other event of this node
    /// has.
    pub number: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened; none when a newer version of the server wrote a kind that this version does not know.
    pub change: Option<Change>,
    /// The position in the log just after it.
    pub position: LogPosition,
    /// Its audience and its rendered payloads, once a subscriber has loaded them.
    pub cache: EntryCache,
}

impl Entry {
    /// The entry that takes the place of this one when it is unknown who receives it.
    pub(super) fn reset(&self) -> Self {
        Self {
            stream: self.stream,
            number: self.number,
            at: self.at,
            change: Some(Change::StreamReset),
            position: self.position.clone(),
            cache: EntryCache::default(),
        }
    }
}

/// Subscribers that share payloads: a digest of their document and of the variables it depends on.
pub type ShareKey = [u8; 32];

/// An encoded response, split where each subscriber's own cursor is inserted.
pub type RenderedPayload = Arc<[Box<str>]>;

/// The users who may see an event.
pub(super) type Audience = Arc<HashSet<UserId>>;

/// Share keys per event whose payloads are found in the entry itself.
pub(super) const PAYLOAD_SLOTS: usize = 4;

/// Weak references from an event into the payload cache, each with the access epoch in which it was stored. Every
/// subscriber of a dispatched event holds the same entry, so all but the first find the payload without a key lookup.
#[derive(Debug, Default)]
pub struct EntryCache {
    audience: OnceLock<(u64, Weak<OnceCell<Audience>>)>,
    payloads: [OnceLock<PayloadSlot>; PAYLOAD_SLOTS],
}

type PayloadSlot = (ShareKey, u64, Weak<OnceCell<RenderedPayload>>);

/// A cloned entry starts with empty slots.
impl Clone for EntryCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl EntryCache {
    /// The payload for this key; none when it is not stored, or when `user` is not known to be in the audience.
    pub(super) fn get(&self, key: ShareKey, epoch: u64, user: UserId) -> Option<RenderedPayload> {
        let (_, audience) = self.audience.get().filter(|(of, _)| *of == epoch)?;
        if !audience.upgrade()?.get()?.contains(&user) {
            return None;
        }
        let mut slots = self.payloads.iter().map_while(OnceLock::get);
        let (.., payload) = slots.find(|(of, at, _)| *of == key && *at == epoch)?;
        payload.upgrade()?.get().cloned()
    }

    pub(super) fn store_audience(&self, epoch: u64, audience: &Arc<OnceCell<Audience>>) {
        self.audience
            .get_or_init(|| (epoch, Arc::downgrade(audience)));
    }

    pub(super) fn store_payload(
        &self,
        key: ShareKey,
        epoch: u64,
        payload: &Arc<OnceCell<RenderedPayload>>,
    ) {
        for slot in &self.payloads {
            let (of, at, _) = slot.get_or_init(|| (key, epoch, Arc::downgrade(payload)));
            if *of == key && *at == epoch {
                return;
            }
        }
    }
}
