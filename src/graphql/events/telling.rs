//! Tells one subscriber what they hear, until their session ends.

use std::{collections::HashSet, sync::Arc};

use tokio::time::{Instant, sleep_until};

use crate::{
    app::App,
    domain::sessions::Viewer,
    error::Error,
    graphql::{batch::Batch, context::Caller, errors::Refusal},
    id::ConversationId,
    live::{
        follow::{Following, Since},
        hub::SessionWatch,
        log::{Change, EndReason},
        read::Entry,
    },
};

/// What comes next.
pub(super) enum Heard {
    /// Something happened.
    Entry(Arc<Entry>),
    /// The session is over.
    SessionEnded(EndReason),
    /// The stream cannot go on; the subscriber resumes.
    Failed(Refusal),
    /// The server stops.
    Nothing,
}

/// One subscriber.
pub(super) struct Telling {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) viewer: Viewer,
    pub(super) following: Following,
    session: SessionWatch,
    lapses: Instant,
}

impl Telling {
    pub(super) async fn begin(
        app: &App,
        caller: &Caller,
        viewer: &Viewer,
        since: Since,
        only: Option<HashSet<ConversationId>>,
    ) -> Result<Self, Error> {
        let session = app.hub.watch(viewer.session).await?;
        let following = app.hub.follow(viewer.user, since, only).await?;
        let left = viewer.token_expires_at - app.clock.now();
        Ok(Self {
            app: app.clone(),
            caller: caller.clone(),
            viewer: viewer.clone(),
            following,
            session,
            lapses: Instant::now() + left.to_std().unwrap_or_default(),
        })
    }

    /// A fresh loader: what an event is about is looked up as it is now, by whoever may see it now.
    pub(super) fn batch(&self) -> Batch {
        Batch::new(&self.app, self.caller.clone())
    }

    pub(super) async fn next(&mut self) -> Heard {
        let heard = tokio::select! {
            biased;
            reason = self.session.ended() => return Heard::SessionEnded(reason),
            () = sleep_until(self.lapses) => return Heard::SessionEnded(EndReason::Expired),
            heard = self.following.next() => heard,
        };
        match heard {
            None => Heard::Nothing,
            Some(Err(error)) => Heard::Failed(error.into()),
            Some(Ok(entry)) => match entry.change {
                Some(Change::SessionEnded { session, reason })
                    if session == self.viewer.session =>
                {
                    Heard::SessionEnded(reason)
                }
                _ => Heard::Entry(entry),
            },
        }
    }
}
