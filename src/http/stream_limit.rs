//! Limits concurrent streams (WebSocket and SSE) per user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::UserId;

/// Maximum concurrent streams of one user.
const PER_USER: usize = 10;

/// The number of open streams per user.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamLimit(Arc<Mutex<HashMap<UserId, usize>>>);

/// One counted stream. Dropping it releases the user's share.
#[derive(Debug)]
pub(super) struct StreamPermit {
    limit: StreamLimit,
    user: UserId,
}

impl StreamLimit {
    /// Counts one more stream of this user. `None` when the user has the maximum.
    pub(super) fn acquire(&self, user: UserId) -> Option<StreamPermit> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= PER_USER {
            return None;
        }
        *count += 1;
        Some(StreamPermit {
            limit: self.clone(),
            user,
        })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut counts = self.limit.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}
