//! A subscriber's end of the hub.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc;

use super::request::{Joined, Request};
use crate::{
    error::{Code, Error},
    id::ConversationId,
    live::{entry::Entry, epoch::LogEpoch, position::LogPosition},
};

/// A subscription to the hub. Dropping it removes the subscriber.
#[derive(Debug)]
pub(in crate::live) struct Subscription {
    /// The epoch of the log.
    pub(in crate::live) epoch: LogEpoch,
    /// Events up to this position happened before; all later ones come through [`Subscription::next`].
    pub(in crate::live) position: LogPosition,
    /// The conversations of which the user was a member at that position.
    pub(in crate::live) conversations: HashSet<ConversationId>,
    id: u64,
    queue: mpsc::Receiver<Arc<Entry>>,
    is_behind: Arc<AtomicBool>,
    requests: mpsc::UnboundedSender<Request>,
}

impl Subscription {
    pub(super) fn new(
        joined: Joined,
        queue: mpsc::Receiver<Arc<Entry>>,
        is_behind: Arc<AtomicBool>,
        requests: mpsc::UnboundedSender<Request>,
    ) -> Self {
        Self {
            epoch: joined.epoch,
            position: joined.position,
            conversations: joined.conversations,
            id: joined.id,
            queue,
            is_behind,
            requests,
        }
    }

    /// The next event. None when the node stops; an error when this subscriber fell too far behind.
    pub(in crate::live) async fn next(&mut self) -> Option<Result<Arc<Entry>, Error>> {
        match self.queue.recv().await {
            Some(entry) => Some(Ok(entry)),
            None if self.is_behind.swap(false, Ordering::AcqRel) => Some(Err(too_slow())),
            None => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Fails only when the dispatcher has ended, and all its subscribers with it.
        let _ = self.requests.send(Request::Leave(self.id));
    }
}

fn too_slow() -> Error {
    Error::new(
        Code::Unavailable,
        "Events arrive faster than the client reads them; resume after the last cursor.",
    )
}
