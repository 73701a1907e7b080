//! How much of the database one owner of operations may occupy at a time, so that the others find a free connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Write transactions of one owner that run or wait for their turn at the same time.
const TRANSACTIONS: usize = 5;

/// What one owner may occupy at a time: half of the connections for reading, and a few transactions.
#[derive(Debug)]
pub struct DatabaseShare {
    reads: Arc<Semaphore>,
    transactions: Arc<Semaphore>,
}

impl DatabaseShare {
    /// Waits until the owner may run one more statement that reads.
    pub(super) async fn read_permit(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphores are never closed.
        Arc::clone(&self.reads).acquire_owned().await.ok()
    }

    /// Waits until the owner may run one more transaction.
    pub(super) async fn transaction_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.transactions).acquire_owned().await.ok()
    }
}

/// The shares of the owners whose operations run. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    shares: Arc<Mutex<HashMap<Uuid, Weak<DatabaseShare>>>>,
    reads: usize,
}

impl Shares {
    /// Shares of this number of connections.
    pub(super) fn of(connections: u32) -> Self {
        Self {
            shares: Arc::default(),
            reads: usize::try_from(connections / 2)
                .unwrap_or(usize::MAX)
                .max(1),
        }
    }

    /// The share of this owner, which exists while it is in use.
    pub(super) fn get(&self, owner: Uuid) -> Arc<DatabaseShare> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&owner).and_then(Weak::upgrade) {
            return share;
        }
        if shares.len() == shares.capacity() {
            shares.retain(|_, share| share.strong_count() > 0);
            // At least half of the room is free now, so that the next cleanup is as far away as this one was expensive.
            let remaining = shares.len();
            shares.reserve(remaining);
        }
        let share = Arc::new(DatabaseShare {
            reads: Arc::new(Semaphore::new(self.reads)),
            transactions: Arc::new(Semaphore::new(TRANSACTIONS)),
        });
        shares.insert(owner, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_one_share_while_its_operations_run() {
        let shares = Shares::of(4);
        let (ada, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = shares.get(ada);
        let both = first.reads.try_acquire_many(2).unwrap();
        assert!(shares.get(ada).reads.try_acquire().is_err());
        assert!(shares.get(ben).reads.try_acquire().is_ok());
        drop(both);
        drop(first);
        for owner in 0..10_000 {
            shares.get(Uuid::from_u128(owner));
        }
        assert!(shares.shares.lock().unwrap().len() < 100);
    }
}
