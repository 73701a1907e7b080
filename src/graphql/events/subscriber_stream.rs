//! Tells one subscriber what they hear, until their session ends.

use std::{
    pin::{Pin, pin},
    sync::Arc,
};

use futures_util::future::poll_immediate;
use tokio::time::{Instant, sleep_until};

use crate::{
    app::App,
    db::with_timeout,
    domain::sessions::Viewer,
    error::Error,
    graphql::{
        context::Caller,
        errors::{FieldError, Result},
        loaders::Loaders,
    },
    live::{
        hub::{SessionWatch, SubscribeOptions},
        log::{Change, EndReason},
        log_reader::Entry,
        resume::{ResumedStream, Since},
    },
};

/// What comes next.
pub(super) enum Incoming {
    /// Something happened.
    Entry(Arc<Entry>),
    /// The session is over.
    SessionEnded(EndReason),
    /// The stream cannot go on; the subscriber resumes.
    Failed(FieldError),
    /// The server stops.
    Nothing,
}

/// Who is told.
pub(super) struct SubscriberContext {
    pub(super) app: App,
    pub(super) viewer: Viewer,
    caller: Caller,
}

impl SubscriberContext {
    pub(super) fn new(app: &App, caller: &Caller, viewer: &Viewer) -> Arc<Self> {
        Arc::new(Self {
            app: app.clone(),
            viewer: viewer.clone(),
            caller: caller.clone(),
        })
    }

    /// A fresh loader: what an event is about is looked up as it is now, by whoever may see it now.
    pub(super) fn loaders(&self) -> Loaders {
        Loaders::new(&self.app, self.caller.clone())
    }
}

/// One subscriber.
pub(super) struct SubscriberStream {
    pub(super) who: Arc<SubscriberContext>,
    pub(super) following: ResumedStream,
    session: SessionWatch,
    lapses: Instant,
    /// Ends when the session does, or its token. Kept, so that waiting for each event sets no clock of its own.
    over: Pin<Box<dyn Future<Output = EndReason> + Send + Sync>>,
}

/// Ends when the session does, or its token.
async fn over(mut session: SessionWatch, lapses: Instant) -> EndReason {
    tokio::select! {
        biased;
        reason = session.ended() => reason,
        () = sleep_until(lapses) => EndReason::Expired,
    }
}

impl SubscriberStream {
    pub(super) async fn begin(
        who: &Arc<SubscriberContext>,
        since: Since,
        wanted: SubscribeOptions,
    ) -> std::result::Result<Self, Error> {
        let SubscriberContext { app, viewer, .. } = &**who;
        let session = app.hub.watch(viewer.session).await?;
        let following = app.hub.follow_wanted(viewer.user, since, wanted).await?;
        let left = viewer.token_expires_at - app.clock.now();
        let lapses = Instant::now() + left.to_std().unwrap_or_default();
        Ok(Self {
            who: Arc::clone(who),
            following,
            over: Box::pin(over(session.clone(), lapses)),
            session,
            lapses,
        })
    }

    /// What the work brings, unless the session ends first: then nothing more may be told, and the last word does
    /// not wait for it. A database that does not answer fails it in time.
    pub(super) async fn unless_over<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> std::result::Result<Result<T>, EndReason> {
        if let Some(reason) = self.is_over() {
            return Err(reason);
        }
        let mut work = pin!(with_timeout(work));
        // Most of it is at hand: somebody else made it.
        if let Some(brought) = poll_immediate(&mut work).await {
            return Ok(brought);
        }
        tokio::select! {
            biased;
            reason = over(self.session.clone(), self.lapses) => Err(reason),
            brought = work => Ok(brought),
        }
    }

    /// Why nothing more may be told, if so.
    pub(super) fn is_over(&self) -> Option<EndReason> {
        let lapsed = Instant::now() >= self.lapses;
        let expired = lapsed.then_some(EndReason::Expired);
        self.session.has_ended().or(expired)
    }

    pub(super) async fn next(&mut self) -> Incoming {
        // What is told asks whether the session is over. Waiting for that as well is for those who have nothing to tell.
        let heard = tokio::select! {
            biased;
            heard = self.following.next() => heard,
            reason = &mut self.over => return Incoming::SessionEnded(reason),
        };
        match heard {
            Some(Ok(entry)) => match entry.change {
                Some(Change::SessionEnded { session, reason })
                    if session == self.who.viewer.session =>
                {
                    Incoming::SessionEnded(reason)
                }
                _ => Incoming::Entry(entry),
            },
            ended => match (self.is_over(), ended) {
                (Some(reason), _) => Incoming::SessionEnded(reason),
                (None, Some(Err(error))) => Incoming::Failed(error.into()),
                (None, _) => Incoming::Nothing,
            },
        }
    }
}
