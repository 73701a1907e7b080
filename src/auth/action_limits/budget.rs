//! The budget of cost of each payer. It is that of one node, because no operation waits for Redis before it runs.

use super::{ActionLimits, LiveCost, Payer};
use crate::error::Error;

impl ActionLimits {
    /// Pays the cost of an operation or of an event. Fails with `RATE_LIMITED` if the budget is used up.
    pub fn pay(&self, payer: Payer, cost: u64) -> Result<(), Error> {
        let Some((subject, action)) = payer.0.filter(|_| self.is_enabled) else {
            return Ok(());
        };
        self.count(subject, action, cost).map(drop)
    }

    /// Reserves the cost of one event of a subscription while it is open. Fails with `RATE_LIMITED` if the open
    /// subscriptions of this payer cost too much together.
    pub fn reserve(&self, payer: Payer, cost: u64) -> Result<Option<LiveCost>, Error> {
        let payer = payer.id().filter(|_| self.is_enabled);
        payer
            .map(|payer| self.live_costs.add(payer, cost))
            .transpose()
    }
}
