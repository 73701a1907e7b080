//! Password strength and hashing with Argon2id. Hashing runs on blocking threads, behind a bounded queue in which each
//! account, login and network address has one place.

use std::{
    net::IpAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

use super::{
    rate_limit::network,
    turns::{Turn, Turns},
};
use crate::{
    error::{Code, Error, Problem},
    id::UserId,
};

/// Minimum length of a password, in characters.
const MIN_CHARS: usize = 10;
/// Maximum length of a password, in characters. Passwords are never truncated.
const MAX_CHARS: usize = 256;
/// An attacker who has a copy of the hash can guess a weaker password.
const MIN_SCORE: Score = Score::Three;

// OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, parallelism 1; about 26 ms.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const PARALLELISM: u32 = 1;
/// Maximum concurrent hashes. Each occupies a core and 19 MiB.
const CONCURRENCY: usize = 2;
/// Maximum waiting hashes. Further ones are rejected.
const QUEUE_LENGTH: usize = 32;

/// Hashes and verifies passwords. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    turns: Turns<HashOwner>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(CONCURRENCY)),
            waiting: Arc::default(),
            turns: Turns::default(),
        }
    }
}

/// Who is charged for hashing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HashOwner {
    /// The client of a sign-in or a registration.
    Address(IpAddr),
    /// The login of a sign-in, as a keyed hash.
    Login(Vec<u8>),
    /// A signed-in user.
    Account(UserId),
}

impl HashOwner {
    /// The owner of what is done for a client without an account. A call without an address is internal and has none.
    #[must_use]
    pub fn client(address: Option<IpAddr>) -> Option<Self> {
        address.map(network).map(Self::Address)
    }
}

impl Passwords {
    /// Waits until the owners, in this order, have no other work in progress. Each of them can use one of the slots at
    /// most, and the checks of their requests follow each other. Fails with `RATE_LIMITED` if an owner has too many
    /// waiting requests.
    pub async fn turn(
        &self,
        owners: impl IntoIterator<Item = HashOwner>,
    ) -> Result<PasswordTurn, Error> {
        let mut turns = vec![];
        for owner in owners {
            turns.push(self.turns.take(owner).await?);
        }
        Ok(PasswordTurn {
            passwords: self.clone(),
            _turns: turns,
        })
    }
}

/// The right to hash passwords, until it is dropped.
#[derive(Debug)]
pub struct PasswordTurn {
    passwords: Passwords,
    _turns: Vec<Turn<HashOwner>>,
}

impl PasswordTurn {
    /// Returns the problems of a new password in `input.<field>`. `words` are guesses that an attacker would try first:
    /// the names of the user and of the server.
    pub async fn problems(
        &self,
        field: &str,
        password: &str,
        words: &[&str],
    ) -> Result<Vec<Problem>, Error> {
        let password = normalize(password);
        let length = password.chars().count();
        if length < MIN_CHARS {
            let message = format!("Use at least {MIN_CHARS} characters.");
            return Ok(vec![Problem::new(field, "TOO_SHORT", message)]);
        }
        if length > MAX_CHARS {
            let message = format!("Use at most {MAX_CHARS} characters.");
            return Ok(vec![Problem::new(field, "TOO_LONG", message)]);
        }
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let score = self.passwords.queue(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            zxcvbn(&password, &words).score()
        });
        if score.await? < MIN_SCORE {
            let message = "This is easy to guess. A few unrelated words are better.";
            return Ok(vec![Problem::new(field, "TOO_WEAK", message)]);
        }
        Ok(vec![])
    }

    /// Returns the hash to store, as a PHC string.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let password = normalize(password);
        self.passwords.queue(move || hash(&password)).await?
    }

    /// Whether the password matches the stored hash. Without a hash, because no user has the name, the check takes as
    /// long and returns false.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, Error> {
        let password = normalize(password);
        let stored = stored.map(str::to_owned);
        let work = move || match stored {
            Some(stored) => verify(&password, &stored),
            None => verify(&password, &DUMMY_HASH).map(|_| false),
        };
        self.passwords.queue(work).await?
    }
}

impl Passwords {
    async fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _queued = QueueSlot::acquire(&self.waiting)?;
        let _slot = self.slots.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(Error::internal)
    }
}

/// A slot in the queue, which is released on drop.
struct QueueSlot<'a>(&'a AtomicUsize);

impl<'a> QueueSlot<'a> {
    fn acquire(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        let ahead = waiting.fetch_add(1, Ordering::Relaxed);
        let slot = Self(waiting);
        if ahead >= QUEUE_LENGTH + CONCURRENCY {
            return Err(Error::new(
                Code::Unavailable,
                "Too many users are signing in; try again in a few seconds.",
            ));
        }
        Ok(slot)
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A hash for unknown usernames, so that their verification takes as long as that of known ones.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| hash("dummy").unwrap_or_default());

/// Whether a hash has other parameters than the current ones, so that it should be replaced.
#[must_use]
pub fn is_outdated(stored: &str) -> bool {
    let Ok(hash) = PasswordHash::new(stored) else {
        return true;
    };
    let is_current = hash.algorithm == argon2::ARGON2ID_IDENT
        && Params::try_from(&hash).is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, PARALLELISM)
        });
    !is_current
}

/// Normalises equivalent passwords to one form, because keyboards encode umlauts differently.
fn normalize(password: &str) -> String {
    password.nfc().collect()
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, PARALLELISM, None)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.code).collect()
    }

    #[tokio::test]
    async fn weak_passwords_are_rejected() {
        let passwords = Passwords::default().turn([]).await.unwrap();
        for (password, expected) in [
            ("a loom has many heddles", vec![]),
            ("short", vec!["TOO_SHORT"]),
            ("password12", vec!["TOO_WEAK"]),
            ("klopfenstein7", vec!["TOO_WEAK"]),
            (&"ab".repeat(129), vec!["TOO_LONG"]),
            (&"ü".repeat(9), vec!["TOO_SHORT"]),
        ] {
            let found = passwords
                .problems("password", password, &["ann", "klopfenstein"])
                .await
                .unwrap();
            assert_eq!(codes(&found), expected, "{password}");
        }
        let of_a_stranger = passwords.problems("password", "klopfenstein7", &[]);
        assert_eq!(of_a_stranger.await.unwrap(), []);
    }

    #[tokio::test]
    async fn an_umlaut_matches_in_both_encodings() {
        let passwords = Passwords::default().turn([]).await.unwrap();
        let hash = passwords
            .hash("gru\u{308}ne Kettfa\u{308}den")
            .await
            .unwrap();
        let is_right = passwords.verify("gr\u{fc}ne Kettf\u{e4}den", Some(&hash));
        assert!(is_right.await.unwrap());
        let is_right = passwords.verify("grune Kettfaden", Some(&hash));
        assert!(!is_right.await.unwrap());
    }

    #[tokio::test]
    async fn the_requests_of_one_owner_leave_the_queue_to_others() {
        let passwords = Passwords::default();
        let hash = |owner: u8| {
            let passwords = passwords.clone();
            async move {
                let turn = passwords.turn([HashOwner::Login(vec![owner])]).await?;
                turn.hash("a loom has many heddles").await
            }
        };
        // More than the queue holds.
        let many = futures_util::future::join_all((0..40).map(|_| hash(0)));
        let others = futures_util::future::join_all((1..=10).map(hash));
        let (many, others) = tokio::join!(many, others);
        for result in many.into_iter().chain(others) {
            assert!(result.is_ok(), "{result:?}");
        }
    }

    #[test]
    fn hashes_with_other_parameters_are_outdated() {
        assert!(!is_outdated(&hash("a loom has many heddles").unwrap()));
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let weak: PasswordHash = weak.hash_password(b"a loom has many heddles").unwrap();
        assert!(is_outdated(&weak.to_string()));
        // The parameters are part of the hash, so it can still be verified.
        assert!(verify("a loom has many heddles", &weak.to_string()).unwrap());
    }
}
