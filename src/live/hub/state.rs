//! What the handles of a hub, its subscriptions and its dispatcher share.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicBool};

use chrono::TimeDelta;
use tokio::sync::{OnceCell, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{sessions::Sessions, subscription::Request};
use crate::{
    clock::Clock,
    live::{backend::HubBackend, cursor::EventCursor, payload_cache::PayloadCache},
};

pub(super) struct HubState {
    pub(super) backend: Arc<dyn HubBackend>,
    pub(super) clock: Clock,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: CancellationToken,
    pub(super) retention: TimeDelta,
    pub(super) redis_url: Option<String>,
    /// Whether wake-ups are currently exchanged over Redis.
    pub(super) is_linked: Arc<AtomicBool>,
    pub(super) started: OnceCell<()>,
    pub(super) requests: mpsc::UnboundedSender<Request>,
    /// The other end of `requests`, until the dispatcher takes it.
    pub(super) inbox: Mutex<Option<mpsc::UnboundedReceiver<Request>>>,
    pub(super) reached: watch::Sender<Option<EventCursor>>,
    pub(super) sessions: Sessions,
    pub(super) payload_cache: PayloadCache,
}

impl HubState {
    pub(super) fn take_inbox(&self) -> Option<mpsc::UnboundedReceiver<Request>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.take()
    }
}
