//! The only file that touches request data.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use async_graphql::{Context, ContextBase, dataloader::DataLoader};

use crate::{
    app::App,
    domain::sessions::{Device, Viewer},
    error::Error,
    graphql::{
        errors::FieldError,
        events::shared_payload::{PreloadedEvent, Share},
        loaders::{LoaderHandle, Loaders},
    },
    live::cursor::Cursor,
};

/// Who sent a request, and from where.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The person, when a valid token came with it.
    pub viewer: Option<Viewer>,
    /// The person who signed in by this very request; its answer is theirs.
    pub signed_in: Arc<OnceLock<Viewer>>,
    /// The network address.
    pub client_addr: Option<IpAddr>,
    /// The client's own description.
    pub user_agent: Option<String>,
    /// Finds the request in the log.
    pub request_id: String,
}

impl Caller {
    /// The signed-in person.
    #[must_use]
    pub fn viewer(&self) -> Option<&Viewer> {
        self.signed_in.get().or(self.viewer.as_ref())
    }

    /// What a session remembers of it.
    #[must_use]
    pub fn device(&self) -> Device {
        Device {
            ip_address: self.client_addr,
            user_agent: self.user_agent.clone(),
        }
    }
}

/// Lets a transport resume a stream of events without a look into the client's document: what it asks for may have
/// no cursor in it, or one by another name.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    after: Option<String>,
    reached: Arc<Mutex<Option<String>>>,
}

impl Resume {
    /// After this cursor, if there is one.
    #[must_use]
    pub fn after(cursor: Option<String>) -> Self {
        Self {
            after: cursor,
            ..Self::default()
        }
    }

    /// The cursor of the event that was told last; none when it was told before, or has none.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.take()
    }

    /// The place to go on from, which wins over the `after` that a client repeats with its first request.
    pub(crate) fn from(&self) -> Option<&String> {
        self.after.as_ref()
    }

    /// The next event told is this one.
    pub(crate) fn tell(&self, cursor: String) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        *reached = Some(cursor);
    }
}

/// How the transport resumes this stream, when it does.
#[must_use]
pub fn resume<'a>(ctx: &Context<'a>) -> Option<&'a Resume> {
    ctx.data_opt::<Resume>()
}

/// How this subscription shares answers, when it does.
#[must_use]
pub(crate) fn share<'a>(ctx: &Context<'a>) -> Option<&'a Share> {
    ctx.data_opt::<Share>()
}

/// What this request is to execute, when it is not to open a stream.
#[must_use]
pub(crate) fn given<'a>(ctx: &Context<'a>) -> Option<&'a PreloadedEvent> {
    ctx.data_opt::<PreloadedEvent>()
}

/// How far this node had read the event log when the request came; none while it starts.
#[derive(Clone, Debug)]
pub struct ReadWatermark(pub Option<Cursor>);

/// The place in the event log that everything this request loads is at least as new as.
#[must_use]
pub fn reached<'a>(ctx: &Context<'a>) -> Option<&'a Cursor> {
    ctx.data_unchecked::<ReadWatermark>().0.as_ref()
}

/// What may happen to fields of this request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DocumentShape {
    /// They may be executed more than once outside of lists.
    pub(crate) may_repeat_fields: bool,
    /// What is executed apart may be one field of the answer.
    pub(crate) has_mergeable_fields: bool,
}

/// Whether what fields of this request answer may have to be merged.
#[must_use]
pub(crate) fn has_mergeable_fields<T>(ctx: &ContextBase<'_, T>) -> bool {
    ctx.data_unchecked::<DocumentShape>().has_mergeable_fields
}

/// The running server.
#[must_use]
pub fn app<'a, T>(ctx: &ContextBase<'a, T>) -> &'a App {
    ctx.data_unchecked::<App>()
}

/// Who sent this request.
#[must_use]
pub fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    ctx.data_unchecked::<Caller>()
}

/// The signed-in person; UNAUTHENTICATED when there is none.
pub fn viewer<'a>(ctx: &Context<'a>) -> Result<&'a Viewer, FieldError> {
    let viewer = caller(ctx).viewer();
    viewer.ok_or_else(|| FieldError::from(Error::unauthenticated()))
}

/// The loaders of this request.
#[must_use]
pub(crate) fn loaders<'a, T>(ctx: &ContextBase<'a, T>) -> LoaderHandle<'a> {
    LoaderHandle::shared(ctx.data_unchecked::<DataLoader<Loaders>>())
}

/// The loaders of this request for a question that only this field asks, and only here.
#[must_use]
pub(crate) fn unbatched<'a, T>(ctx: &ContextBase<'a, T>) -> LoaderHandle<'a> {
    let DocumentShape {
        may_repeat_fields, ..
    } = *ctx.data_unchecked::<DocumentShape>();
    LoaderHandle::unbatched(
        ctx,
        ctx.data_unchecked::<DataLoader<Loaders>>(),
        may_repeat_fields,
    )
}
