//! What the hub needs besides the event log: wake-ups, sessions, presence, ephemeral events. A trait, so that the
//! simulation can run the same hub on a simulated database.

use std::sync::{Arc, atomic::AtomicBool};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use tokio::sync::mpsc;

use super::{
    bus::{Bus, Link},
    ephemeral::{Ephemeral, SeenEphemeral},
    epoch::{self, LogEpoch},
    installation,
    log_reader::Log,
    presence::{Presence, PresenceSignal},
    retention,
};
use crate::{clock::Clock, db::Db, entity::session, error::Error, id::SessionId};

/// The database of a hub.
#[async_trait]
pub(super) trait HubBackend: Log {
    /// Whether other processes write to it as well, whose wake-ups may be lost.
    fn is_shared(&self) -> bool;

    /// Listens for wake-ups of this process and, over the Redis at this URL, of the other nodes. The flag is true while
    /// Redis is connected. The caller runs the link.
    async fn listen(
        &self,
        redis: Option<(&str, &Arc<AtomicBool>)>,
    ) -> Result<(Bus, Option<Link>), Error>;

    /// The current epoch of the log. Begins a new one if the log was replaced.
    async fn epoch(&self) -> Result<LogEpoch, Error>;

    /// Begins a new epoch: the log ends before a position that was read.
    async fn begin_epoch(&self, read: LogEpoch) -> Result<LogEpoch, Error>;

    /// The task that stores the presence signals; none when presence is not stored.
    fn presence(
        &self,
        clock: &Clock,
        signals: mpsc::UnboundedReceiver<PresenceSignal>,
    ) -> Option<Presence>;

    /// The ephemeral events that were not seen yet.
    async fn ephemeral(
        &self,
        seen: &mut SeenEphemeral,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error>;

    /// Loads the sessions of these ids that exist.
    async fn sessions(&self, ids: &[SessionId]) -> Result<Vec<session::Model>, Error>;

    /// Invalidates the session cache: sessions have ended, here or on another node.
    fn note_session_endings(&self);

    /// Deletes events that are too old to be replayed, or whose stream is too long, and returns their number.
    async fn prune(&self, retention: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error>;
}

#[async_trait]
impl HubBackend for Db {
    fn is_shared(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    async fn listen(
        &self,
        redis: Option<(&str, &Arc<AtomicBool>)>,
    ) -> Result<(Bus, Option<Link>), Error> {
        let link = match redis {
            Some((url, is_linked)) => {
                let installation = installation::id(self).await?;
                Some(Link::new(url, installation, self, is_linked)?)
            }
            None => None,
        };
        Ok((Bus::new(self, link.as_ref().map(Link::subscribe)), link))
    }

    async fn epoch(&self) -> Result<LogEpoch, Error> {
        epoch::current(self).await
    }

    async fn begin_epoch(&self, read: LogEpoch) -> Result<LogEpoch, Error> {
        epoch::begin_after(self, read).await
    }

    fn presence(
        &self,
        clock: &Clock,
        signals: mpsc::UnboundedReceiver<PresenceSignal>,
    ) -> Option<Presence> {
        Some(Presence::new(self, clock, signals))
    }

    async fn ephemeral(
        &self,
        seen: &mut SeenEphemeral,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error> {
        seen.load_new(self, now).await
    }

    async fn sessions(&self, ids: &[SessionId]) -> Result<Vec<session::Model>, Error> {
        let found = session::Entity::find()
            .filter(session::Column::Id.is_in(ids.iter().copied()))
            .all(self.read())
            .await?;
        Ok(found)
    }

    fn note_session_endings(&self) {
        Self::note_session_endings(self);
    }

    async fn prune(&self, retention: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
        let old = retention::prune(self, retention, now).await?;
        Ok(old + retention::trim(self, retention::EVENTS_PER_STREAM, now).await?)
    }
}
