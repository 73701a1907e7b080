//! Password hashing: Argon2id, off the async threads, behind a bounded queue.

use std::sync::{Arc, LazyLock, atomic::AtomicUsize, atomic::Ordering};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use tokio::sync::Semaphore;

use crate::error::{Code, Error};

// OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane; about 26 ms.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes at once: each holds a core and 19 MiB.
const AT_ONCE: usize = 2;
/// Hashes that may wait; more are turned away rather than piled up.
const QUEUE: usize = 32;

/// Hashes and verifies passwords. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::default(),
        }
    }
}

impl Passwords {
    /// The hash to store, in PHC string form.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = password.to_owned();
        self.queue(move || hash(&password)).await?
    }

    /// Whether this is the password behind the stored hash. Without a hash (nobody has this name)
    /// it takes as long and says no.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, Error> {
        let password = password.to_owned();
        let stored = stored.map(str::to_owned);
        self.queue(move || match stored {
            Some(stored) => verify(&password, &stored),
            None => verify(&password, &NOBODY).map(|_| false),
        })
        .await?
    }

    async fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _place = Place::take(&self.waiting)?;
        let _slot = self.slots.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(Error::internal)
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        let ahead = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        if ahead >= QUEUE + AT_ONCE {
            return Err(Error::new(
                Code::Unavailable,
                "Too many people sign in now; try again.",
            ));
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A hash that no password is tried against for real: it makes unknown names cost what known ones do.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody").unwrap_or_default());

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, Error> {
    let hash: PasswordHash = argon2()?
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool, Error> {
    let stored = PasswordHash::new(stored).map_err(|error| Error::internal(error.to_string()))?;
    Ok(argon2()?
        .verify_password(password.as_bytes(), &stored)
        .is_ok())
}
