//! The budget of cost of each payer. It is that of one node, because no operation waits for Redis before it runs.

use super::{ActionLimits, Payer};
use crate::{
    auth::reservations::Reservation,
    error::{Code, Error},
};

/// Maximum total cost of one event of each open subscription of a payer, so that an event that all of them receive does
/// not use up the budget: half of what a user may spend in a minute.
pub(super) const MAX_LIVE_COST: u64 = 50_000;

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
    pub fn reserve(&self, payer: Payer, cost: u64) -> Result<Option<Reservation>, Error> {
        let Some(payer) = payer.id().filter(|_| self.is_enabled) else {
            return Ok(None);
        };
        let reserved = self.live_costs.add(payer, cost).map_err(|total| {
            let message = format!(
                "Your open subscriptions would cost {total} together, and {MAX_LIVE_COST} is the maximum: end one \
                 of them, or select fewer fields."
            );
            Error::new(Code::RateLimited, message)
        });
        reserved.map(Some)
    }
}
