//! The time, real or held still. The one place that asks the machine.

use std::{
    sync::{Arc, LazyLock, atomic::AtomicI64, atomic::Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// From when [`Clock::elapsed`] counts.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock, cheap to clone. A test can move it; every clone moves along.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds added to the machine's time.
    offset: Arc<AtomicI64>,
    /// What the machine's time is taken to be, if the machine is not to be asked.
    stands_at: Option<DateTime<Utc>>,
}

impl Clock {
    /// A clock that moves only when it is moved.
    #[must_use]
    pub fn standing_at(at: DateTime<Utc>) -> Self {
        Self {
            offset: Arc::default(),
            stands_at: Some(at),
        }
    }

    /// The time now, in whole milliseconds: what the API shows is then exactly what is stored, so a
    /// time that a client sends back compares equal.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that asks the machine"
        )]
        let now = self.stands_at.unwrap_or_else(Utc::now);
        now.trunc_subsecs(3) + TimeDelta::milliseconds(self.offset.load(Ordering::Relaxed))
    }

    /// Time that passed since some moment before. Unlike [`Clock::now`] it goes on evenly when the
    /// machine's time is corrected: what limits how often something may happen counts on it.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let offset = self.offset.load(Ordering::Relaxed);
        let passed = match self.stands_at {
            Some(_) => Duration::ZERO,
            None => BEGINNING.elapsed(),
        };
        let step = Duration::from_millis(offset.unsigned_abs());
        if offset < 0 {
            passed.saturating_sub(step)
        } else {
            passed.saturating_add(step)
        }
    }

    /// Moves the clock forwards, or backwards by a negative step.
    pub fn advance(&self, step: TimeDelta) {
        self.offset
            .fetch_add(step.num_milliseconds(), Ordering::Relaxed);
    }
}
