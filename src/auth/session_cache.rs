//! Caches recently loaded sessions, so that not every request queries the database for its session.
//!
//! The cache is invalidated whenever any session ends, on any node
//! ([`Db::session_endings`](crate::db::Db::session_endings)), so revocation is immediate.

use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;

use crate::{
    entity::user::ServerRole,
    id::{SessionId, UserId},
};

/// Maximum cached sessions. The least used ones are evicted.
const MAX_SESSIONS: u64 = 100_000;
/// Maximum age of an entry, because the notification of another node may be lost with the connection.
const MAX_AGE: Duration = Duration::from_secs(5);

/// A session as it was loaded.
#[derive(Clone, Copy, Debug)]
pub struct CachedSession {
    /// The user of the session.
    pub user: UserId,
    /// The role of the user on this server.
    pub role: ServerRole,
    /// Whether the user has to set up a second factor before anything else.
    pub lacks_second_factor: bool,
    /// The last recorded use.
    pub last_used_at: DateTime<Utc>,
    /// The time at which it expires.
    pub expires_at: DateTime<Utc>,
    /// The count of session endings before it was loaded.
    pub endings: u64,
}

/// The cached sessions of this process.
#[derive(Clone, Debug)]
pub struct SessionCache(Cache<SessionId, CachedSession>);

impl Default for SessionCache {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_SESSIONS)
            .time_to_live(MAX_AGE);
        Self(cache.build())
    }
}

impl SessionCache {
    /// Returns a cached session, unless a session has ended since it was loaded.
    #[must_use]
    pub fn get(&self, session: SessionId, endings: u64) -> Option<CachedSession> {
        self.0
            .get(&session)
            .filter(|cached| cached.endings == endings)
    }

    /// Stores a session.
    pub fn insert(&self, session: SessionId, cached: CachedSession) {
        self.0.insert(session, cached);
    }
}
