//! When the watched sessions of this node are looked up, and that one lookup runs at a time.

use std::{mem, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    request::{CheckScope, Request},
    state::HubState,
};
use crate::{db::with_timeout, error::Error};

/// How often every watched session is checked.
const INTERVAL: Duration = Duration::from_secs(30);

/// The checks that are due.
#[derive(Debug)]
pub(super) struct SessionChecks {
    due: Option<CheckScope>,
    is_running: bool,
    /// Whether the last check failed.
    has_failed: bool,
    all_checked_at: Instant,
}

impl SessionChecks {
    pub(super) fn new() -> Self {
        Self {
            due: None,
            is_running: false,
            has_failed: false,
            all_checked_at: Instant::now(),
        }
    }

    /// Requests a check of the sessions that were never looked up.
    pub(super) fn request(&mut self) {
        self.due = self.due.max(Some(CheckScope::New));
    }

    /// Requests what is due after some time, or failed.
    pub(super) fn sweep(&mut self) {
        if self.all_checked_at.elapsed() >= INTERVAL {
            self.due = Some(CheckScope::All);
        } else if self.has_failed {
            self.request();
        }
    }

    /// Starts the requested check.
    pub(super) fn start(&mut self, hub: &Arc<HubState>) {
        if self.is_running {
            return;
        }
        let Some(scope) = self.due.take() else {
            return;
        };
        self.is_running = true;
        let (backend, sessions, now) = (
            Arc::clone(&hub.backend),
            hub.sessions.clone(),
            hub.clock.now(),
        );
        let check = async move {
            with_timeout(sessions.check(&*backend, now, scope == CheckScope::All)).await
        };
        hub.spawn(check, move |result| {
            Request::SessionsChecked(result.map(|()| scope))
        });
    }

    /// A check has ended.
    pub(super) fn end(&mut self, result: Result<CheckScope, Error>) {
        self.is_running = false;
        match result {
            Ok(scope) => {
                self.has_failed = false;
                if scope == CheckScope::All {
                    self.all_checked_at = Instant::now();
                }
            }
            Err(error) => {
                if !mem::replace(&mut self.has_failed, true) {
                    tracing::warn!(%error, "sessions cannot be checked; trying again");
                }
            }
        }
    }
}
