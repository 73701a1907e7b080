//! The counts of one node, in memory.

use std::time::Duration;

use moka::{ops::compute::Op, sync::Cache};
use uuid::Uuid;

use super::action::{Action, Quota};
use crate::{clock::Clock, error::Error};

/// Maximum counts. The least used ones are evicted.
const MAX_COUNTS: u64 = 200_000;
/// How long an unused count is kept. Every quota has refilled by then.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

/// When the quota of a subject and an action is full again: the theoretical arrival time of the generic cell rate
/// algorithm.
#[derive(Debug)]
pub(super) struct LocalLimits {
    full_at: Cache<(Uuid, Action), Duration>,
    clock: Clock,
}

impl LocalLimits {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            full_at: Cache::builder()
                .max_capacity(MAX_COUNTS)
                .time_to_idle(IDLE_TIMEOUT)
                .build(),
            clock: clock.clone(),
        }
    }

    pub(super) fn consume(
        &self,
        subject: Uuid,
        action: Action,
        quota: Quota,
        count: u32,
    ) -> Result<(), Error> {
        let now = self.clock.elapsed();
        let mut wait = Duration::ZERO;
        self.full_at
            .entry((subject, action))
            .and_compute_with(|entry| {
                let full_at = entry.map_or(now, moka::Entry::into_value).max(now);
                let next = full_at + quota.interval() * count;
                wait = next.saturating_sub(now + quota.interval() * quota.burst);
                if wait.is_zero() {
                    Op::Put(next)
                } else {
                    Op::Nop
                }
            });
        if wait.is_zero() {
            Ok(())
        } else {
            Err(Error::rate_limited(wait))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_quota_allows_a_burst_and_refills_evenly() {
        let clock = Clock::default();
        let limits = LocalLimits::new(&clock);
        let quota = Quota {
            burst: 3,
            per_minute: 6,
        };
        let (ada, ben) = (crate::id::mint(), crate::id::mint());
        let consume = |who, count| limits.consume(who, Action::Send, quota, count);
        consume(ada, 2).unwrap();
        // All or none.
        consume(ada, 2).unwrap_err();
        consume(ada, 1).unwrap();
        let wait = consume(ada, 1).unwrap_err().retry_after().unwrap();
        assert!(wait <= Duration::from_secs(10), "{wait:?}");
        consume(ben, 3).unwrap();
        limits
            .consume(ada, Action::ChangeMessage, quota, 3)
            .unwrap();
        clock.advance(TimeDelta::seconds(11));
        consume(ada, 1).unwrap();
        consume(ada, 1).unwrap_err();
        // No more is saved than the burst.
        clock.advance(TimeDelta::minutes(9));
        consume(ada, 3).unwrap();
        consume(ada, 1).unwrap_err();
    }
}
