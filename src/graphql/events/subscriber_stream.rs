//! The events of one subscriber, until their session or their token ends.

use std::{
    pin::{Pin, pin},
    sync::Arc,
};

use futures_util::future::poll_immediate;
use tokio::time::{Instant, sleep_until};

use crate::{
    app::App,
    auth::action_limits::Action,
    db::with_timeout,
    domain::sessions::Viewer,
    error::Error,
    graphql::{
        context::Caller,
        errors::{FieldError, Result},
        loaders::Loaders,
    },
    live::{
        entry::Entry,
        hub::{SessionWatch, SubscribeOptions},
        log::{Change, EndReason},
        resume::{ResumedStream, Since},
    },
};

/// What a subscriber receives next.
pub(super) enum Incoming {
    /// An event.
    Entry(Arc<Entry>),
    /// The end of the session, or of the access token.
    SessionEnded(EndReason),
    /// The stream cannot continue; the client resumes it.
    Failed(FieldError),
    /// The server is stopping.
    Closed,
}

/// Who subscribes.
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

    /// Loaders without cached values: objects of an event are loaded, and access to them is checked, at delivery.
    pub(super) fn loaders(&self) -> Loaders {
        Loaders::new(&self.app, self.caller.clone())
    }
}

/// A subscriber's stream of events.
pub(super) struct SubscriberStream {
    pub(super) context: Arc<SubscriberContext>,
    pub(super) events: ResumedStream,
    session: SessionWatch,
    token_expires_at: Instant,
    /// Stored, so that waiting for an event does not register a timer each time.
    ended: Pin<Box<dyn Future<Output = EndReason> + Send + Sync>>,
}

/// Completes when the session ends or the token expires.
async fn ended(mut session: SessionWatch, token_expires_at: Instant) -> EndReason {
    tokio::select! {
        biased;
        reason = session.ended() => reason,
        () = sleep_until(token_expires_at) => EndReason::Expired,
    }
}

impl SubscriberStream {
    pub(super) async fn open(
        context: &Arc<SubscriberContext>,
        since: Since,
        options: SubscribeOptions,
    ) -> std::result::Result<Self, Error> {
        let SubscriberContext { app, viewer, .. } = &**context;
        app.action_limits
            .consume(viewer.user.0, Action::Subscribe)
            .await?;
        let session = app.hub.watch(viewer.session).await?;
        let events = app.hub.follow_with(viewer.user, since, options).await?;
        let time_left = viewer.token_expires_at - app.clock.now();
        let token_expires_at = Instant::now() + time_left.to_std().unwrap_or_default();
        Ok(Self {
            context: Arc::clone(context),
            events,
            ended: Box::pin(ended(session.clone(), token_expires_at)),
            session,
            token_expires_at,
        })
    }

    /// The result of `work`, unless the session ends first: then nothing more is delivered, and the final event does
    /// not wait for the work. The work fails after the database timeout.
    pub(super) async fn unless_ended<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> std::result::Result<Result<T>, EndReason> {
        if let Some(reason) = self.end_reason() {
            return Err(reason);
        }
        let mut work = pin!(with_timeout(work));
        // Most work is ready: another subscriber has rendered the payload.
        if let Some(result) = poll_immediate(&mut work).await {
            return Ok(result);
        }
        tokio::select! {
            biased;
            reason = ended(self.session.clone(), self.token_expires_at) => Err(reason),
            result = work => Ok(result),
        }
    }

    /// Why nothing more may be delivered; none while the session and the token are valid.
    pub(super) fn end_reason(&self) -> Option<EndReason> {
        let is_expired = Instant::now() >= self.token_expires_at;
        let expired = is_expired.then_some(EndReason::Expired);
        self.session.has_ended().or(expired)
    }

    pub(super) async fn next(&mut self) -> Incoming {
        // A delivery checks whether the session has ended. Only a subscriber without events has to wait for that too.
        let next = tokio::select! {
            biased;
            next = self.events.next() => next,
            reason = &mut self.ended => return Incoming::SessionEnded(reason),
        };
        match next {
            Some(Ok(entry)) => match entry.change {
                Some(Change::SessionEnded { session, reason })
                    if session == self.context.viewer.session =>
                {
                    Incoming::SessionEnded(reason)
                }
                _ => Incoming::Entry(entry),
            },
            end => match (self.end_reason(), end) {
                (Some(reason), _) => Incoming::SessionEnded(reason),
                (None, Some(Err(error))) => Incoming::Failed(error.into()),
                (None, _) => Incoming::Closed,
            },
        }
    }
}
