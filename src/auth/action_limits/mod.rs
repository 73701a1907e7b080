//! Limits how often a user may do something. The counts are shared by the nodes where Redis is configured, and are kept
//! per node otherwise and while Redis is unavailable.

mod action;
mod budget;
mod local;
mod payer;
mod shared;

use uuid::Uuid;

pub use self::{action::Action, payer::Payer};
use self::{action::Quota, local::LocalLimits, shared::SharedLimits};
use crate::{auth::reservations::Reservations, clock::Clock, config::Config, error::Error};

/// The limits of one node.
#[derive(Debug)]
pub struct ActionLimits {
    is_enabled: bool,
    messages_per_minute: u32,
    local: LocalLimits,
    /// What one event of each open subscription costs.
    live_costs: Reservations,
    shared: Option<SharedLimits>,
}

impl ActionLimits {
    /// Creates the limits. Connects to Redis when the first action is counted.
    pub fn new(config: &Config, clock: &Clock) -> Result<Self, Error> {
        let shared = config.redis_url.as_deref().map(SharedLimits::new);
        Ok(Self {
            is_enabled: config.rate_limits,
            messages_per_minute: config.messages_per_minute,
            local: LocalLimits::new(clock),
            live_costs: Reservations::new(budget::MAX_LIVE_COST),
            shared: shared.transpose()?,
        })
    }

    /// Counts one action of this user, or of this session to renew it. Fails with `RATE_LIMITED` if it is one too many.
    pub async fn consume(&self, subject: Uuid, action: Action) -> Result<(), Error> {
        self.consume_many(subject, action, 1).await
    }

    /// Counts several actions together, all or none. More than the burst count as the burst.
    pub async fn consume_many(
        &self,
        subject: Uuid,
        action: Action,
        count: usize,
    ) -> Result<(), Error> {
        if !self.is_enabled || count == 0 {
            return Ok(());
        }
        // First, because it is cheap, and so that it is up to date when Redis becomes unavailable.
        let (quota, count) =
            self.count(subject, action, u64::try_from(count).unwrap_or(u64::MAX))?;
        match &self.shared {
            Some(shared) => shared.consume(subject, action, quota, count).await,
            None => Ok(()),
        }
    }

    /// Counts on this node. Returns the quota, and how many count: at most the burst.
    fn count(&self, subject: Uuid, action: Action, count: u64) -> Result<(Quota, u32), Error> {
        let quota = action.quota(self.messages_per_minute);
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(quota.burst);
        self.local.consume(subject, action, quota, count)?;
        Ok((quota, count))
    }
}
