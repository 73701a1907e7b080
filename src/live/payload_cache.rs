//! Per-node cache of what subscribers share: the audience of an event, and its rendered payload per share key. Values
//! expire after a second, and none is used after any user has lost access to anything.
//!
//! There are two levels, because each alone is worse. The moka caches own the values: they bound them in bytes, and
//! they also serve replays, which decode their own entries. [`EntryCache`](super::entry::EntryCache) only points into
//! them, from the entry that all subscribers of a dispatched event hold. After the first subscriber, a lookup hashes no
//! key and takes no lock; that is part of the step from 42 to 22 µs per delivery in `docs/performance/log.md`.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::{
    entry::{Audience, Entry, RenderedPayload, ShareKey},
    open_documents::{OpenDocument, OpenDocuments},
};
use crate::{error::Error, id::UserId};

/// How long values are kept. An event reaches every subscriber that keeps up within milliseconds.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);
/// Bytes of payloads that are kept.
const MAX_PAYLOAD_BYTES: u64 = 16 * 1024 * 1024;
/// Audiences that are kept.
const MAX_AUDIENCES: u64 = 256;
/// Weight of a payload in the cache at least, in bytes. One that is still being rendered weighs this much.
const MIN_WEIGHT: u32 = 1024;

type Shared<T> = Arc<OnceCell<T>>;

/// The cache of one node.
#[derive(Debug)]
pub struct PayloadCache {
    /// Incremented whenever a user may have lost access. Part of every key, so that older values are not found.
    access_epoch: AtomicU64,
    audiences: Cache<(i64, u64), Shared<Audience>>,
    payloads: Cache<(ShareKey, i64, u64), Shared<RenderedPayload>>,
    rendered: AtomicU64,
    open: OpenDocuments,
}

impl Default for PayloadCache {
    fn default() -> Self {
        let weigh = |_: &_, payload: &Shared<RenderedPayload>| {
            let pieces = payload.get().map(|payload| payload.iter());
            let bytes = pieces.map_or(0, |pieces| pieces.map(|piece| piece.len()).sum());
            u32::try_from(bytes).unwrap_or(u32::MAX).max(MIN_WEIGHT)
        };
        Self {
            access_epoch: AtomicU64::new(0),
            audiences: Cache::builder()
                .max_capacity(MAX_AUDIENCES)
                .time_to_live(TIME_TO_LIVE)
                .build(),
            payloads: Cache::builder()
                .max_capacity(MAX_PAYLOAD_BYTES)
                .weigher(weigh)
                .time_to_live(TIME_TO_LIVE)
                .build(),
            rendered: AtomicU64::new(0),
            open: OpenDocuments::default(),
        }
    }
}

impl PayloadCache {
    /// How many payloads were rendered. Tests compare it with the number of deliveries.
    #[must_use]
    pub fn rendered(&self) -> u64 {
        self.rendered.load(Ordering::Relaxed)
    }

    /// Invalidates everything: a user may have lost access.
    pub(super) fn bump_access_epoch(&self) {
        self.access_epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// The payload of this event for this key, if it is stored and `user` is known to be in the audience.
    #[must_use]
    pub fn get(&self, entry: &Entry, key: ShareKey, user: UserId) -> Option<RenderedPayload> {
        entry.cache.get(key, self.epoch(), user)
    }

    /// The users who may see the event, loaded once for all subscribers.
    pub async fn audience<F>(
        &self,
        entry: &Entry,
        load: impl FnOnce() -> F,
    ) -> Result<Audience, Error>
    where
        F: Future<Output = Result<HashSet<UserId>, Error>>,
    {
        let epoch = self.epoch();
        let cell = self
            .audiences
            .get_with((entry.number, epoch), Shared::default);
        // Boxed, here and below: of a thousand subscribers one loads it, and the others only wait.
        let load = || async { Box::pin(load()).await.map(Arc::new) };
        let audience = cell.get_or_try_init(load).await.cloned();
        entry.cache.store_audience(epoch, &cell);
        audience
    }

    /// Stores the users who may see an event, when the hub already knows them.
    pub(super) fn store_audience(&self, entry: &Entry, users: HashSet<UserId>) {
        let epoch = self.epoch();
        let cell = Arc::new(OnceCell::new_with(Some(Arc::new(users))));
        self.audiences
            .insert((entry.number, epoch), Arc::clone(&cell));
        entry.cache.store_audience(epoch, &cell);
    }

    /// The payload of the event for this key, rendered once for all subscribers. None when it cannot be rendered; each
    /// subscriber then executes the event separately.
    pub async fn get_or_render<F>(
        &self,
        entry: &Entry,
        key: ShareKey,
        render: impl FnOnce() -> F,
    ) -> Option<RenderedPayload>
    where
        F: Future<Output = Option<RenderedPayload>>,
    {
        let epoch = self.epoch();
        let (payload, cell) = self.fill(entry, key, epoch, render).await?;
        entry.cache.store_payload(key, epoch, &cell);
        Some(payload)
    }

    /// [`get_or_render`](Self::get_or_render) for the subscriptions of one user. The entry does not refer to the payload,
    /// because it has room for a few keys only.
    pub async fn get_or_render_own<F>(
        &self,
        entry: &Entry,
        key: ShareKey,
        render: impl FnOnce() -> F,
    ) -> Option<RenderedPayload>
    where
        F: Future<Output = Option<RenderedPayload>>,
    {
        let (payload, _) = self.fill(entry, key, self.epoch(), render).await?;
        Some(payload)
    }

    /// Counts a subscription with this key, for the user and the document, until it is dropped.
    #[must_use]
    pub fn open_document(&self, key: ShareKey) -> OpenDocument {
        self.open.open(key)
    }

    async fn fill<F>(
        &self,
        entry: &Entry,
        key: ShareKey,
        epoch: u64,
        render: impl FnOnce() -> F,
    ) -> Option<(RenderedPayload, Shared<RenderedPayload>)>
    where
        F: Future<Output = Option<RenderedPayload>>,
    {
        let cell = self
            .payloads
            .get_with((key, entry.number, epoch), Shared::default);
        let render = || async {
            self.rendered.fetch_add(1, Ordering::Relaxed);
            Box::pin(render()).await.ok_or(())
        };
        let payload = cell.get_or_try_init(render).await.ok().cloned()?;
        Some((payload, cell))
    }

    fn epoch(&self) -> u64 {
        self.access_epoch.load(Ordering::Acquire)
    }
}
