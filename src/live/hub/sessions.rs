//! The sessions that streams and sockets of this node depend on, and the notification that one has ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::{
    entity::session,
    error::Error,
    id::SessionId,
    live::{backend::HubBackend, log::EndReason},
};

/// Sessions looked up by one statement.
const CHUNK: usize = 500;

/// Watches for the end of one session. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SessionWatch {
    end: watch::Receiver<Option<EndReason>>,
}

impl SessionWatch {
    /// Why the session ended, if it has.
    #[must_use]
    pub fn has_ended(&self) -> Option<EndReason> {
        *self.end.borrow()
    }

    /// Waits for the end of the session and returns the reason.
    pub async fn ended(&mut self) -> EndReason {
        let end = self.end.wait_for(Option::is_some).await;
        let reason = end.ok().and_then(|reason| *reason);
        match reason {
            Some(reason) => reason,
            // The hub was dropped, because the process stops; the session continues.
            None => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
struct Watched {
    end: watch::Sender<Option<EndReason>>,
    is_new: bool,
}

/// The watched sessions of this node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<SessionId, Watched>>>);

impl Sessions {
    pub(super) fn watch(&self, session: SessionId) -> SessionWatch {
        let mut all = self.lock();
        let watched = all.entry(session).or_insert_with(|| Watched {
            end: watch::Sender::new(None),
            is_new: true,
        });
        SessionWatch {
            end: watched.end.subscribe(),
        }
    }

    /// Notifies the watchers of the session.
    pub(super) fn end(&self, session: SessionId, reason: EndReason) {
        if let Some(watched) = self.lock().remove(&session) {
            watched.end.send_replace(Some(reason));
        }
    }

    /// Looks up the sessions that were never looked up, or all of them. A session that expires, or that ended before it
    /// was watched, causes no event.
    pub(super) async fn check(
        &self,
        backend: &dyn HubBackend,
        now: DateTime<Utc>,
        all: bool,
    ) -> Result<(), Error> {
        for ids in self.to_check(all).chunks(CHUNK) {
            let rows = backend.sessions(ids).await?;
            let found: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
            for id in ids {
                match found.get(id).map(|row| over(row, now)) {
                    Some(None) => {
                        if let Some(watched) = self.lock().get_mut(id) {
                            watched.is_new = false;
                        }
                    }
                    Some(Some(reason)) => self.end(*id, reason),
                    None => self.end(*id, EndReason::AccountDeleted),
                }
            }
        }
        Ok(())
    }

    fn to_check(&self, all: bool) -> Vec<SessionId> {
        let mut watched = self.lock();
        watched.retain(|_, watched| watched.end.receiver_count() > 0);
        watched
            .iter()
            .filter(|(_, watched)| all || watched.is_new)
            .map(|(id, _)| *id)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn over(row: &session::Model, now: DateTime<Utc>) -> Option<EndReason> {
    if row.ended_at.is_some() {
        return Some(row.end_reason.map_or(EndReason::Revoked, EndReason::from));
    }
    (row.expires_at <= now).then_some(EndReason::Expired)
}
