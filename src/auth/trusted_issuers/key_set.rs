//! The public keys of one issuer, and when they are loaded again.

use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::Mutex;

use super::{
    problem::TokenProblem,
    public_key::{PublicKey, read_keys},
};
use crate::{clock::Clock, config::JwksLocation, egress::Egress};

/// Keys that the issuer has removed are accepted for at most this long.
const MAX_AGE: Duration = Duration::from_hours(1);
/// How often the keys are loaded at most, because anyone can send a token with an unknown key.
const RETRY_INTERVAL: Duration = Duration::from_mins(1);
/// Maximum size of the document. A key with a certificate has a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

/// The keys of one issuer.
pub(super) struct KeySet {
    location: JwksLocation,
    state: RwLock<State>,
    /// Held during a load, so that there is one at a time.
    loading: Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Vec<PublicKey>,
    /// The times are those of [`Clock::elapsed`].
    loaded_at: Option<Duration>,
    attempted_at: Option<Duration>,
    failure: Option<String>,
}

impl State {
    fn find(&self, id: Option<&str>) -> Option<PublicKey> {
        match (id, self.keys.as_slice()) {
            (None, [key]) => Some(key.clone()),
            (None, _) => None,
            (id, keys) => keys.iter().find(|key| key.id.as_deref() == id).cloned(),
        }
    }
}

impl KeySet {
    pub(super) fn new(location: JwksLocation) -> Self {
        Self {
            location,
            state: RwLock::default(),
            loading: Mutex::default(),
        }
    }

    /// Returns the key with this id; without an id, the only key. Loads the keys again if they are old, or if there is no
    /// such key. The second value is true if other keys have been loaded.
    pub(super) async fn key(
        &self,
        id: Option<&str>,
        egress: &Egress,
        clock: &Clock,
    ) -> Result<(PublicKey, bool), TokenProblem> {
        let (known, is_current) = self.look_up(id, clock);
        if let Some(key) = known.as_ref().filter(|_| is_current) {
            return Ok((key.clone(), false));
        }
        // A request with a known key does not wait for another one that is loading.
        let turn = match &known {
            Some(_) => self.loading.try_lock().ok(),
            None => Some(self.loading.lock().await),
        };
        let has_changed = match turn {
            Some(_turn) if self.is_due(clock) => self.load(egress, clock).await,
            _ => false,
        };
        let (found, _) = self.look_up(id, clock);
        let found = found.map(|key| (key, has_changed));
        found.ok_or_else(|| self.missing(id))
    }

    /// Loads the keys. Returns why this failed, as the end of a sentence.
    pub(super) async fn check(&self, egress: &Egress, clock: &Clock) -> Result<(), String> {
        let _turn = self.loading.lock().await;
        self.load(egress, clock).await;
        self.read().failure.clone().map_or(Ok(()), Err)
    }

    fn look_up(&self, id: Option<&str>, clock: &Clock) -> (Option<PublicKey>, bool) {
        let state = self.read();
        let is_current = (state.loaded_at).is_some_and(|at| clock.elapsed() < at + MAX_AGE);
        (state.find(id), is_current)
    }

    fn is_due(&self, clock: &Clock) -> bool {
        let attempted_at = self.read().attempted_at;
        attempted_at.is_none_or(|at| clock.elapsed() >= at + RETRY_INTERVAL)
    }

    fn missing(&self, id: Option<&str>) -> TokenProblem {
        let state = self.read();
        match &state.failure {
            Some(reason) if state.keys.is_empty() => TokenProblem::NoKeys(reason.clone()),
            _ => TokenProblem::UnknownKey(id.map(str::to_owned)),
        }
    }

    /// Replaces the keys, and keeps them if that fails. Returns whether they have changed.
    async fn load(&self, egress: &Egress, clock: &Clock) -> bool {
        let document = match &self.location {
            JwksLocation::Url(url) => {
                let body = egress.get(url, MAX_BYTES).await;
                body.map_err(|error| format!("{url}: {error}"))
            }
            JwksLocation::File(path) => read_file(path),
        };
        let keys = document.and_then(|document| read_keys(&document));
        let now = clock.elapsed();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.attempted_at = Some(now);
        match keys {
            Ok(keys) => {
                let has_changed = state.keys != keys;
                state.keys = keys;
                state.loaded_at = Some(now);
                state.failure = None;
                has_changed
            }
            Err(reason) => {
                tracing::warn!(%reason, "the keys of a trusted issuer could not be loaded");
                state.failure = Some(reason);
                false
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        let mut document = vec![];
        File::open(path)?.take(limit).read_to_end(&mut document)?;
        Ok(document)
    };
    read().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}
