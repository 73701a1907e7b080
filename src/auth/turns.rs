//! Turns: an owner has one request in progress, and a bounded number of requests that wait.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// Maximum requests of one owner, with the current one. Many users may share a network address.
const REQUESTS_MAX: usize = 64;
/// When a refused request may be repeated.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The turns of all owners. Cheap to clone.
#[derive(Debug)]
pub(super) struct Turns<K>(Arc<Mutex<HashMap<K, OwnerQueue>>>);

impl<K> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[derive(Debug)]
struct OwnerQueue {
    /// Has one permit, and hands it on in the order of arrival.
    turn: Arc<Semaphore>,
    requests: usize,
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// Waits for the turn of an owner. Fails with `RATE_LIMITED` if too many of their requests wait.
    pub(super) async fn take(&self, owner: K) -> Result<Turn<K>, Error> {
        let (request, turn) = self.join(owner)?;
        let permit = turn.acquire_owned().await.map_err(Error::internal)?;
        Ok(Turn {
            _permit: permit,
            _request: request,
        })
    }

    fn join(&self, owner: K) -> Result<(Request<K>, Arc<Semaphore>), Error> {
        let mut queues = self.queues();
        let queue = queues.entry(owner.clone()).or_insert_with(|| OwnerQueue {
            turn: Arc::new(Semaphore::new(1)),
            requests: 0,
        });
        if queue.requests >= REQUESTS_MAX {
            return Err(Error::rate_limited(RETRY_AFTER));
        }
        queue.requests += 1;
        let turn = Arc::clone(&queue.turn);
        let turns = self.clone();
        Ok((Request { turns, owner }, turn))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<K, OwnerQueue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of an owner, which ends on drop.
#[derive(Debug)]
pub(super) struct Turn<K: Clone + Eq + Hash> {
    // Released first: the last request removes the queue.
    _permit: OwnedSemaphorePermit,
    _request: Request<K>,
}

/// A request that waits for its turn or has it.
#[derive(Debug)]
struct Request<K: Clone + Eq + Hash> {
    turns: Turns<K>,
    owner: K,
}

impl<K: Clone + Eq + Hash> Drop for Request<K> {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        if let Some(queue) = queues.get_mut(&self.owner) {
            queue.requests -= 1;
            if queue.requests == 0 {
                queues.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::error::Code;

    #[tokio::test]
    async fn an_owner_has_one_turn_and_a_bounded_queue() {
        let turns = Turns::default();
        let first = turns.take("ann").await.unwrap();
        let mut waiting: Vec<_> = (1..REQUESTS_MAX)
            .map(|_| Box::pin(turns.take("ann")))
            .collect();
        for request in &mut waiting {
            assert!(request.as_mut().now_or_never().is_none());
        }
        let refused = turns.take("ann").await.unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        // Others do not wait.
        assert!(turns.take("bob").now_or_never().unwrap().is_ok());
        drop(first);
        let second = waiting.remove(0).await.unwrap();
        assert!(waiting[0].as_mut().now_or_never().is_none());
        drop((second, waiting));
        assert!(turns.queues().is_empty());
    }
}
