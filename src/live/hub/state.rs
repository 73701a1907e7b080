//! What the handles of a hub, its subscriptions and its dispatcher share.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
};

use chrono::TimeDelta;
use futures_util::FutureExt;
use tokio::sync::{OnceCell, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{request::Request, sessions::Sessions};
use crate::{
    clock::Clock,
    error::Error,
    live::{
        backend::HubBackend, cursor::EventCursor, log_mark::LogMark, payload_cache::PayloadCache,
    },
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
    /// Records how far the log was read; none where it does not outlive the process.
    pub(super) mark: OnceLock<LogMark>,
    pub(super) reached: watch::Sender<Option<EventCursor>>,
    pub(super) sessions: Sessions,
    pub(super) payload_cache: PayloadCache,
}

impl HubState {
    pub(super) fn take_inbox(&self) -> Option<mpsc::UnboundedReceiver<Request>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.take()
    }

    /// Runs work in a task, and sends what `finish` returns for its result to the dispatcher, also when the work panics.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
        finish: impl FnOnce(Result<T, Error>) -> Request + Send + 'static,
    ) {
        let (requests, shutdown) = (self.requests.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            let work = AssertUnwindSafe(work).catch_unwind();
            let result = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                result = work => result,
            };
            let panicked = |_| Err(Error::internal("a task of the hub panicked"));
            // Fails only when the dispatcher has ended.
            let _ = requests.send(finish(result.unwrap_or_else(panicked)));
        });
    }
}
