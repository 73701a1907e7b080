//! The total cost of the open subscriptions of each payer: an event that all of them receive must not use up the budget
//! of the payer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use crate::error::{Code, Error};

/// Maximum total cost of one event of each open subscription: half of what a user may spend in a minute.
pub(super) const MAX_LIVE_COST: u64 = 50_000;

/// The open subscriptions of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveCosts(Arc<Mutex<HashMap<Uuid, u64>>>);

/// The share of one open subscription. Dropping it releases the share.
#[derive(Debug)]
pub struct LiveCost {
    costs: LiveCosts,
    payer: Uuid,
    cost: u64,
}

impl LiveCosts {
    /// Adds a subscription. Fails with `RATE_LIMITED` if the subscriptions of the payer become too expensive.
    pub(super) fn add(&self, payer: Uuid, cost: u64) -> Result<LiveCost, Error> {
        let mut costs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = costs.get(&payer).copied().unwrap_or_default();
        let total = total.saturating_add(cost);
        if total > MAX_LIVE_COST {
            let message = format!(
                "Your open subscriptions would cost {total} together, and {MAX_LIVE_COST} is the maximum: end one \
                 of them, or select fewer fields."
            );
            return Err(Error::new(Code::RateLimited, message));
        }
        costs.insert(payer, total);
        Ok(LiveCost {
            costs: self.clone(),
            payer,
            cost,
        })
    }
}

impl Drop for LiveCost {
    fn drop(&mut self) {
        let mut costs = self.costs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(total) = costs.get_mut(&self.payer) {
            *total -= self.cost;
            if *total == 0 {
                costs.remove(&self.payer);
            }
        }
    }
}
