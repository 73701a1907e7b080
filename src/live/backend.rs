//! What a hub stands on beside the log: doorbells, sessions, what is fleeting. Each method is one call of the
//! room that does it; a simulation puts something else below the same hub.

use std::sync::{Arc, atomic::AtomicBool};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use tokio::sync::mpsc;

use super::{
    bus::{Bus, Link},
    ephemeral::{Ephemeral, SeenEphemeral},
    installation,
    log_reader::Log,
    presence::{Presence, PresenceSignal},
    retention,
};
use crate::{clock::Clock, db::Db, entity::session, error::Error, id::SessionId};

/// A database, as a hub sees it.
#[async_trait]
pub(super) trait HubBackend: Log {
    /// Whether other processes change it too, whose rings may not be heard.
    fn is_shared(&self) -> bool;

    /// Begins to hear the doorbell of this process and, over the Redis at this address, of the others, with a flag that
    /// tells whether those are heard. The link is yet to be run.
    async fn listen(
        &self,
        redis: Option<(&str, &Arc<AtomicBool>)>,
    ) -> Result<(Bus, Option<Link>), Error>;

    /// Who is told of people that come and go; nobody where it is not kept.
    fn presence(
        &self,
        clock: &Clock,
        passing: mpsc::UnboundedReceiver<PresenceSignal>,
    ) -> Option<Presence>;

    /// What is fleeting and was not told yet.
    async fn ephemeral(
        &self,
        recent: &mut SeenEphemeral,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error>;

    /// Those of these sessions that are known.
    async fn sessions(&self, ids: &[SessionId]) -> Result<Vec<session::Model>, Error>;

    /// Sessions have ended, here or on another node.
    fn note_session_endings(&self);

    /// Forgets events that nobody can ask for any more, and tells how many.
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
            Some((url, carries)) => {
                let installation = installation::id(self).await?;
                Some(Link::new(url, installation, self, carries)?)
            }
            None => None,
        };
        Ok((Bus::new(self, link.as_ref()), link))
    }

    fn presence(
        &self,
        clock: &Clock,
        passing: mpsc::UnboundedReceiver<PresenceSignal>,
    ) -> Option<Presence> {
        Some(Presence::new(self, clock, passing))
    }

    async fn ephemeral(
        &self,
        recent: &mut SeenEphemeral,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error> {
        recent.look(self, now).await
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
        retention::prune(self, retention, now).await
    }
}
