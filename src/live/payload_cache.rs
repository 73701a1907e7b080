//! What is the same for everybody who hears an event on this node: who may see it, and what it looks like to those who
//! ask alike. Kept for a moment, and never beyond news that somebody sees less.

use std::{
    collections::HashSet,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::log_reader::Entry;
use crate::{error::Error, id::UserId};

/// How long something is kept. Events reach all who keep up within milliseconds.
const KEPT: Duration = Duration::from_secs(1);
/// Bytes of shared answers that are kept.
const BYTES: u64 = 16 * 1024 * 1024;
/// Audiences that are kept.
const AUDIENCES: u64 = 256;

/// Subscribers whose answers are alike: a checksum of what they ask.
pub type ShareKey = [u8; 32];

/// An answer in pieces: between each two belongs the cursor of whoever it is for.
pub type RenderedPayload = Arc<[Box<str>]>;

type Shared<T> = Arc<OnceCell<T>>;
type Audience = Arc<HashSet<UserId>>;

/// Groups of an event whose answers are found without a look into the caches.
pub(super) const PAYLOAD_SLOTS: usize = 4;

/// What is shared of one event, at hand for all who are handed the event itself. Owned by the caches, which bound it.
#[derive(Debug, Default)]
pub struct EntryCache {
    audience: OnceLock<(u64, Weak<OnceCell<Audience>>)>,
    forms: [OnceLock<PayloadSlot>; PAYLOAD_SLOTS],
}

type PayloadSlot = (ShareKey, u64, Weak<OnceCell<RenderedPayload>>);

impl Clone for EntryCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What the subscribers of one node share.
#[derive(Debug)]
pub struct PayloadCache {
    /// Grows when somebody or everybody sees less: nothing from before counts then.
    access_epoch: AtomicU64,
    audiences: Cache<(i64, u64), Shared<Audience>>,
    forms: Cache<(ShareKey, i64, u64), Shared<RenderedPayload>>,
    made: AtomicU64,
}

impl Default for PayloadCache {
    fn default() -> Self {
        let weigh = |_: &_, form: &Shared<RenderedPayload>| {
            // A form that is being made is weighed when it is used again.
            let bytes = form
                .get()
                .map_or(0, |form| form.iter().map(|piece| piece.len()).sum());
            u32::try_from(bytes).unwrap_or(u32::MAX).max(1024)
        };
        Self {
            access_epoch: AtomicU64::new(0),
            audiences: Cache::builder()
                .max_capacity(AUDIENCES)
                .time_to_live(KEPT)
                .build(),
            forms: Cache::builder()
                .max_capacity(BYTES)
                .weigher(weigh)
                .time_to_live(KEPT)
                .build(),
            made: AtomicU64::new(0),
        }
    }
}

impl PayloadCache {
    /// How many shared answers were made. Tests compare it with how many were told.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Somebody sees less from here on.
    pub(super) fn bump_access_epoch(&self) {
        self.access_epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// What this event looks like to somebody of the group; none when that has yet to be made, or to be looked up
    /// whether they may see it.
    #[must_use]
    pub fn cached(&self, entry: &Entry, group: ShareKey, user: UserId) -> Option<RenderedPayload> {
        let access_epoch = self.access_epoch.load(Ordering::Acquire);
        let (_, audience) = entry
            .cached
            .audience
            .get()
            .filter(|(at, _)| *at == access_epoch)?;
        if !audience.upgrade()?.get()?.contains(&user) {
            return None;
        }
        let mut forms = entry.cached.forms.iter().map_while(OnceLock::get);
        let (.., form) = forms.find(|(of, at, _)| *of == group && *at == access_epoch)?;
        form.upgrade()?.get().cloned()
    }

    /// Who may see what happened; looked up once for all.
    pub async fn audience<F>(
        &self,
        entry: &Entry,
        look_up: impl FnOnce() -> F,
    ) -> Result<Audience, Error>
    where
        F: Future<Output = Result<HashSet<UserId>, Error>>,
    {
        let access_epoch = self.access_epoch.load(Ordering::Acquire);
        let cell = self
            .audiences
            .get_with((entry.position, access_epoch), Shared::default);
        // Apart, here and below: of a thousand who ask, one looks it up, and the others only wait for it.
        let look_up = || async { Box::pin(look_up()).await.map(Arc::new) };
        let audience = cell.get_or_try_init(look_up).await.cloned();
        let weak = || (access_epoch, Arc::downgrade(&cell));
        entry.cached.audience.get_or_init(weak);
        audience
    }

    /// What happened looks like this to the group; made once for all. None when it could not be made: then each makes
    /// their own.
    pub async fn form<F>(
        &self,
        entry: &Entry,
        group: ShareKey,
        make: impl FnOnce() -> F,
    ) -> Option<RenderedPayload>
    where
        F: Future<Output = Option<RenderedPayload>>,
    {
        let access_epoch = self.access_epoch.load(Ordering::Acquire);
        let cell = self
            .forms
            .get_with((group, entry.position, access_epoch), Shared::default);
        let make = || async {
            self.made.fetch_add(1, Ordering::Relaxed);
            Box::pin(make()).await.ok_or(())
        };
        let form = cell.get_or_try_init(make).await.ok().cloned()?;
        for cached in &entry.cached.forms {
            let (of, at, _) = cached.get_or_init(|| (group, access_epoch, Arc::downgrade(&cell)));
            if *of == group && *at == access_epoch {
                break;
            }
        }
        Some(form)
    }
}
