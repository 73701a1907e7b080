//! How many sockets each person has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::UserId;

/// Sockets of one person.
const PER_USER: usize = 10;

/// How many sockets each person has.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Sockets(Arc<Mutex<HashMap<UserId, usize>>>);

/// One socket's place among its person's, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    sockets: Sockets,
    user: UserId,
}

impl Sockets {
    /// A place for one more socket of this person, unless they have as many as they may.
    pub(super) fn take(&self, user: UserId) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= PER_USER {
            return None;
        }
        *count += 1;
        Some(Place {
            sockets: self.clone(),
            user,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .sockets
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
