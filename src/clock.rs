//! The time, real or held still. The one place that asks the machine.

use std::sync::{Arc, atomic::AtomicI64, atomic::Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A clock, cheap to clone. A test can move it; every clone moves along.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds added to the machine's time.
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The time now, in whole milliseconds: what the API shows is then exactly what is stored, so a
    /// time that a client sends back compares equal.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that asks the machine"
        )]
        let now = Utc::now();
        now.trunc_subsecs(3) + TimeDelta::milliseconds(self.offset.load(Ordering::Relaxed))
    }

    /// Moves the clock forwards, or backwards by a negative step.
    pub fn advance(&self, step: TimeDelta) {
        self.offset
            .fetch_add(step.num_milliseconds(), Ordering::Relaxed);
    }
}
