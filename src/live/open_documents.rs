//! The open subscriptions of this node, by user and document: with more than one, an event is executed for them together.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::entry::ShareKey;

/// The numbers of open subscriptions with the same key. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenDocuments(Arc<Mutex<HashMap<ShareKey, usize>>>);

/// An open subscription. Dropping it ends the count.
#[derive(Debug)]
pub struct OpenDocument {
    documents: OpenDocuments,
    key: ShareKey,
}

impl OpenDocuments {
    /// Counts a subscription.
    pub(super) fn open(&self, key: ShareKey) -> OpenDocument {
        *self.numbers().entry(key).or_default() += 1;
        OpenDocument {
            documents: self.clone(),
            key,
        }
    }

    fn numbers(&self) -> MutexGuard<'_, HashMap<ShareKey, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenDocument {
    /// The key, if another subscription has the same.
    #[must_use]
    pub fn shared_key(&self) -> Option<ShareKey> {
        let number = self.documents.numbers().get(&self.key).copied();
        number.is_some_and(|number| number > 1).then_some(self.key)
    }
}

impl Drop for OpenDocument {
    fn drop(&mut self) {
        let mut numbers = self.documents.numbers();
        if let Some(number) = numbers.get_mut(&self.key) {
            *number -= 1;
            if *number == 0 {
                numbers.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shared_while_two_are_open() {
        let documents = OpenDocuments::default();
        let (one, other) = (documents.open([1; 32]), documents.open([2; 32]));
        assert_eq!((one.shared_key(), other.shared_key()), (None, None));
        let again = documents.open([1; 32]);
        assert_eq!(again.shared_key(), Some([1; 32]));
        assert_eq!(one.shared_key(), again.shared_key());
        drop(one);
        assert_eq!(again.shared_key(), None);
        drop((again, other));
        assert!(documents.numbers().is_empty());
    }
}
