//! The handle of the hub that the rest of the server uses.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OnceCell, mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    dispatcher::Dispatcher,
    options::SubscribeOptions,
    outlet::QUEUE,
    request::Request,
    sessions::{SessionWatch, Sessions},
    state::HubState,
    subscribers::Subscriber,
    subscription::Subscription,
};
use crate::{
    clock::Clock,
    db::{Db, with_timeout},
    error::{Code, Error},
    id::{SessionId, UserId},
    live::{
        backend::HubBackend, cursor::EventCursor, log_mark::LogMark, log_reader::Log,
        payload_cache::PayloadCache,
    },
};

/// The event stream of one node. Cheap to clone. Starts to read when it is first used.
#[derive(Clone)]
pub struct Hub(Arc<HubState>);

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// The hub of a node that uses this database, whose log keeps events for `retention`, and that receives wake-ups of
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
        let backend = Arc::new(db.clone());
        Self::with_backend(backend, clock, tasks, shutdown, retention, redis_url)
    }

    /// A hub on another backend than a database.
    pub(in crate::live) fn with_backend(
        backend: Arc<dyn HubBackend>,
        clock: &Clock,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
        retention: Duration,
        redis_url: Option<String>,
    ) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        Self(Arc::new(HubState {
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
            mark: OnceLock::new(),
            reached: watch::Sender::new(None),
            sessions: Sessions::default(),
            payload_cache: PayloadCache::default(),
        }))
    }

    /// Records in this file how far the log was read. Called before [`Hub::start`].
    pub fn keep_mark(&self, mark: LogMark) {
        // A second mark of the same folder would contain the same.
        let _ = self.0.mark.set(mark);
    }

    /// Starts the dispatcher, unless it runs. Called before the server accepts requests, so that [`Hub::reached`]
    /// returns a cursor for each of them.
    pub async fn start(&self) -> Result<(), Error> {
        let start = || async {
            let dispatcher = Dispatcher::new(&self.0).await?;
            self.0.tasks.spawn(dispatcher.run());
            Ok(())
        };
        self.0.started.get_or_try_init(start).await.copied()
    }

    /// How far this node has read the log: everything that is loaded after this call is at least as new. None before
    /// the hub was started.
    #[must_use]
    pub fn reached(&self) -> Option<EventCursor> {
        self.0.reached.borrow().clone()
    }

    /// Whether wake-ups of other nodes currently arrive over Redis; none when no Redis is configured.
    #[must_use]
    pub fn is_linked(&self) -> Option<bool> {
        let is_linked = || self.0.is_linked.load(Ordering::Acquire);
        self.0.redis_url.as_ref().map(|_| is_linked())
    }

    /// The payloads that subscribers of this node share.
    #[must_use]
    pub fn payload_cache(&self) -> &PayloadCache {
        &self.0.payload_cache
    }

    /// Watches for the end of a session: it was ended, it expired, or its row was deleted.
    pub async fn watch(&self, session: SessionId) -> Result<SessionWatch, Error> {
        self.start().await?;
        let watch = self.0.sessions.watch(session);
        // The session may have ended before it was watched. Fails only when the dispatcher has ended.
        let _ = self.0.requests.send(Request::CheckSessions);
        Ok(watch)
    }

    /// Makes sure that this node reads the log of the current epoch: the log may have been replaced since it was opened.
    pub(in crate::live) async fn check_epoch(&self) -> Result<(), Error> {
        self.start().await?;
        let current = with_timeout(self.0.backend.epoch()).await?;
        if self
            .reached()
            .is_some_and(|reached| reached.epoch == current)
        {
            return Ok(());
        }
        let (reply, restarted) = oneshot::channel();
        // Both fail only when the dispatcher has ended.
        let _ = self.0.requests.send(Request::Restart(reply));
        let _ = restarted.await;
        Ok(())
    }

    pub(in crate::live) fn log(&self) -> Arc<dyn Log> {
        Arc::<dyn HubBackend>::clone(&self.0.backend)
    }

    pub(in crate::live) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// The highest age of a cursor that can be resumed.
    pub(in crate::live) fn retention(&self) -> TimeDelta {
        self.0.retention
    }

    /// Subscribes to the streams of this user and of their conversations.
    pub(in crate::live) async fn subscribe(
        &self,
        user: UserId,
        options: SubscribeOptions,
    ) -> Result<Subscription, Error> {
        self.start().await?;
        let (queue, events) = mpsc::channel(QUEUE);
        let (reply, joined) = oneshot::channel();
        let is_behind = Arc::new(AtomicBool::new(false));
        let subscriber = Subscriber {
            user,
            options,
            queue,
            is_behind: Arc::clone(&is_behind),
        };
        let stopped = || Error::new(Code::Unavailable, "The server is stopping.");
        let requests = &self.0.requests;
        requests
            .send(Request::Join(Box::new(subscriber), reply))
            .map_err(|_stopped| stopped())?;
        let joined = joined.await.map_err(|_stopped| stopped())??;
        Ok(Subscription::new(
            joined,
            events,
            is_behind,
            requests.clone(),
        ))
    }
}
