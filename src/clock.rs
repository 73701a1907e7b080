//! The clock of the server, which tests can fix and advance. Only this module reads the system time.

use std::{
    sync::{Arc, LazyLock, atomic::AtomicI64, atomic::Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The start of [`Clock::elapsed`].
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock. It is cheap to clone, and advancing it advances all its clones.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds that are added to the system time.
    offset: Arc<AtomicI64>,
    /// A time that replaces the system time.
    fixed: Option<DateTime<Utc>>,
}

impl Clock {
    /// Creates a clock that changes only through [`Clock::advance`].
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self {
            offset: Arc::default(),
            fixed: Some(at),
        }
    }

    /// Returns the current time in whole milliseconds. The database stores the same precision as the API returns, so
    /// that a time that a client sends back compares equal.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the only function that reads the system time"
        )]
        let now = self.fixed.unwrap_or_else(Utc::now);
        now.trunc_subsecs(3) + TimeDelta::milliseconds(self.offset.load(Ordering::Relaxed))
    }

    /// Returns the time since an arbitrary start. Unlike [`Clock::now`] it is monotonic when the system time is
    /// corrected, so rate limits use it.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let offset = self.offset.load(Ordering::Relaxed);
        let elapsed = match self.fixed {
            Some(_) => Duration::ZERO,
            None => START.elapsed(),
        };
        let step = Duration::from_millis(offset.unsigned_abs());
        if offset < 0 {
            elapsed.saturating_sub(step)
        } else {
            elapsed.saturating_add(step)
        }
    }

    /// Advances the clock, or sets it back by a negative step.
    pub fn advance(&self, step: TimeDelta) {
        self.offset
            .fetch_add(step.num_milliseconds(), Ordering::Relaxed);
    }
}
