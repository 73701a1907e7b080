//! How many streams each person has open: sockets, and answers that go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::UserId;

/// Sockets and streams of one person.
const PER_USER: usize = 10;

/// How many each person has.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamLimit(Arc<Mutex<HashMap<UserId, usize>>>);

/// One place among its person's, given back when it is dropped.
#[derive(Debug)]
pub(super) struct StreamPermit {
    stream_limit: StreamLimit,
    user: UserId,
}

impl StreamLimit {
    /// One more place of this person, unless they have as many as they may.
    pub(super) fn take(&self, user: UserId) -> Option<StreamPermit> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= PER_USER {
            return None;
        }
        *count += 1;
        Some(StreamPermit {
            stream_limit: self.clone(),
            user,
        })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut counts = self
            .stream_limit
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}
