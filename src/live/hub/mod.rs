//! The hub of one node: reads the log once for everybody here and hands each event to those who hear
//! its stream. Whether somebody may still see what an event is about is asked at delivery, not here.

mod dispatcher;
mod sessions;
mod subscribers;

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OnceCell, mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    dispatcher::{Dispatcher, Request},
    sessions::Sessions,
    subscribers::{QUEUE, Subscriber},
};
pub use self::{
    sessions::SessionWatch,
    subscribers::{ChangeFilter, Prerender, SubscribeOptions},
};
use crate::{
    clock::Clock,
    db::Db,
    error::{Code, Error},
    id::{ConversationId, SessionId, UserId},
    live::{
        backend::HubBackend, cursor::Cursor, entry::Entry, log_reader::Log,
        payload_cache::PayloadCache, position::LogPosition,
    },
};

/// The event stream of one node. Cheap to clone. It begins to read when somebody first needs it.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    backend: Arc<dyn HubBackend>,
    clock: Clock,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    retention: TimeDelta,
    redis_url: Option<String>,
    /// Whether rings come and go over Redis at this moment.
    is_linked: Arc<AtomicBool>,
    started: OnceCell<()>,
    requests: mpsc::UnboundedSender<Request>,
    inbox: Mutex<Option<mpsc::UnboundedReceiver<Request>>>,
    reached: watch::Sender<Option<Cursor>>,
    sessions: Sessions,
    payload_cache: PayloadCache,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// A place in the hub. Leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    /// Everything up to here happened before; everything after comes through [`Subscription::next`].
    pub(super) place: LogPosition,
    /// The conversations that the person took part in at that place.
    pub(super) conversations: HashSet<ConversationId>,
    id: u64,
    queue: mpsc::Receiver<Arc<Entry>>,
    is_behind: Arc<AtomicBool>,
    requests: mpsc::UnboundedSender<Request>,
}

impl Subscription {
    /// The next event; none when the node stops, an error when this subscriber fell too far behind.
    pub(super) async fn next(&mut self) -> Option<Result<Arc<Entry>, Error>> {
        match self.queue.recv().await {
            Some(entry) => Some(Ok(entry)),
            None if self.is_behind.swap(false, Ordering::AcqRel) => Some(Err(behind())),
            None => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Refused only when the reader is gone, and all subscribers with it.
        let _ = self.requests.send(Request::Leave(self.id));
    }
}

fn behind() -> Error {
    Error::new(
        Code::Unavailable,
        "Events come faster than they are read; resume after the last cursor.",
    )
}

impl Hub {
    /// The hub of a node that uses this database, whose log `retention` events for this long, and hears
    /// other nodes over this Redis. Reads nothing yet.
    #[must_use]
    pub fn new(
        db: &Db,
        clock: &Clock,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
        retention: Duration,
        redis_url: Option<String>,
    ) -> Self {
        Self::over(
            Arc::new(db.clone()),
            clock,
            tasks,
            shutdown,
            retention,
            redis_url,
        )
    }

    /// A hub that stands on this.
    pub(super) fn over(
        backend: Arc<dyn HubBackend>,
        clock: &Clock,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
        retention: Duration,
        redis_url: Option<String>,
    ) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        Self(Arc::new(Shared {
            backend,
            clock: clock.clone(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
            retention: TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX),
            redis_url,
            is_linked: Arc::default(),
            started: OnceCell::new(),
            requests,
            inbox: Mutex::new(Some(inbox)),
            reached: watch::Sender::new(None),
            sessions: Sessions::default(),
            payload_cache: PayloadCache::default(),
        }))
    }

    /// Begins to read, if it has not begun. Called before the first request is taken, so that
    /// [`Hub::reached`] has an answer for each of them.
    pub async fn start(&self) -> Result<(), Error> {
        let begin = || async {
            let reader = Dispatcher::new(&self.0).await?;
            self.0.tasks.spawn(reader.run());
            Ok(())
        };
        self.0.started.get_or_try_init(begin).await.copied()
    }

    /// How far this node has read. Whatever is loaded after this call is at least as new; none
    /// before the hub was started.
    #[must_use]
    pub fn reached(&self) -> Option<Cursor> {
        self.0.reached.borrow().clone()
    }

    /// Whether other nodes are heard over Redis at this moment; none when there is no Redis to hear them over.
    #[must_use]
    pub fn is_linked(&self) -> Option<bool> {
        let linked = || self.0.is_linked.load(Ordering::Acquire);
        self.0.redis_url.as_ref().map(|_| linked())
    }

    /// What the subscribers of this node share.
    #[must_use]
    pub fn payload_cache(&self) -> &PayloadCache {
        &self.0.payload_cache
    }

    /// Tells when a session is over, by its own word, by time, or because its row is gone.
    pub async fn watch(&self, session: SessionId) -> Result<SessionWatch, Error> {
        self.start().await?;
        let watch = self.0.sessions.watch(session);
        // It may have ended before anybody watched.
        let _ = self.0.requests.send(Request::CheckSessions);
        Ok(watch)
    }

    pub(super) fn log(&self) -> Arc<dyn Log> {
        Arc::<dyn HubBackend>::clone(&self.0.backend)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// How old a cursor may be.
    pub(super) fn retention(&self) -> TimeDelta {
        self.0.retention
    }

    /// Begins to hear what this person hears.
    pub(super) async fn subscribe(
        &self,
        user: UserId,
        options: SubscribeOptions,
    ) -> Result<Subscription, Error> {
        self.start().await?;
        let (queue, events) = mpsc::channel(QUEUE);
        let (answer, answered) = oneshot::channel();
        let is_behind = Arc::new(AtomicBool::new(false));
        let subscriber = Subscriber {
            user,
            options,
            queue,
            is_behind: Arc::clone(&is_behind),
        };
        let stopped = || Error::new(Code::Unavailable, "The server is stopping.");
        let request = Request::Join(Box::new(subscriber), answer);
        let requests = &self.0.requests;
        requests.send(request).map_err(|_stopped| stopped())?;
        let joined = answered.await.map_err(|_stopped| stopped())??;
        Ok(Subscription {
            place: joined.place,
            conversations: joined.conversations,
            id: joined.id,
            queue: events,
            is_behind,
            requests: requests.clone(),
        })
    }
}

impl Shared {
    fn take_inbox(&self) -> Option<mpsc::UnboundedReceiver<Request>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.take()
    }
}
