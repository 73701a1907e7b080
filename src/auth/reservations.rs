//! What owners reserve of something for as long as they use it: each owner has the same maximum.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// The reservations of all owners. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reservations {
    maximum: u64,
    totals: Arc<Mutex<HashMap<Uuid, u64>>>,
}

/// A reservation. Dropping it releases the amount.
#[derive(Debug)]
pub struct Reservation {
    reservations: Reservations,
    owner: Uuid,
    amount: u64,
}

impl Reservations {
    /// Lets each owner reserve this amount in total.
    #[must_use]
    pub fn new(maximum: u64) -> Self {
        Self {
            maximum,
            totals: Arc::default(),
        }
    }

    /// Reserves an amount. Fails with the total that the owner would have if it exceeds the maximum.
    pub fn add(&self, owner: Uuid, amount: u64) -> Result<Reservation, u64> {
        let mut totals = self.totals();
        let total = totals.get(&owner).copied().unwrap_or_default();
        let total = total.saturating_add(amount);
        if total > self.maximum {
            return Err(total);
        }
        totals.insert(owner, total);
        Ok(Reservation {
            reservations: self.clone(),
            owner,
            amount,
        })
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<Uuid, u64>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut totals = self.reservations.totals();
        if let Some(total) = totals.get_mut(&self.owner) {
            *total -= self.amount;
            if *total == 0 {
                totals.remove(&self.owner);
            }
        }
    }
}
