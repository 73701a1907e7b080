//! Sessions that were looked up a moment ago, so that not every request asks the database for its own again.
//!
//! What is known is believed only until a session ends, any session, here or on another node
//! ([`Db::session_endings`](crate::db::Db::session_endings)): ending one works at once, as if nothing were kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;

use crate::{
    entity::user::ServerRole,
    id::{SessionId, UserId},
};

/// Sessions remembered; beyond them the least used are forgotten.
const SESSIONS: u64 = 100_000;
/// However quiet it is, nothing older is believed: news from other nodes can be lost with the connection to them.
const MAX_AGE: Duration = Duration::from_secs(5);

/// A session as it was looked up.
#[derive(Clone, Copy, Debug)]
pub struct CachedSession {
    /// Whose it is.
    pub user: UserId,
    /// What they may do on this server.
    pub role: ServerRole,
    /// When it was last noted that it is in use.
    pub last_used_at: DateTime<Utc>,
    /// When it lapses.
    pub expires_at: DateTime<Utc>,
    /// How often sessions had ended before it was looked up.
    pub endings: u64,
}

/// The sessions that this process remembers.
#[derive(Clone, Debug)]
pub struct SessionCache(Cache<SessionId, CachedSession>);

impl Default for SessionCache {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(SESSIONS)
            .time_to_live(MAX_AGE);
        Self(cache.build())
    }
}

impl SessionCache {
    /// What is known of a session, if no session has ended since.
    #[must_use]
    pub fn get(&self, session: SessionId, endings: u64) -> Option<CachedSession> {
        self.0
            .get(&session)
            .filter(|known| known.endings == endings)
    }

    /// Remembers a session.
    pub fn remember(&self, session: SessionId, known: CachedSession) {
        self.0.insert(session, known);
    }
}
