//! Access to request data. Every other file reads it through these functions.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, ContextBase};

pub use crate::graphql::caller::Caller;
use crate::{
    app::App,
    domain::sessions::Viewer,
    error::Error,
    graphql::{
        document::DocumentShape,
        errors::FieldError,
        loaders::{LoaderHandle, RequestBatches},
    },
    live::cursor::EventCursor,
};

/// Lets a transport resume a stream of events without reading the client's document, which may select no cursor, or
/// select it under an alias.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    after: Option<String>,
    cursor: Arc<Mutex<Option<String>>>,
}

impl Resume {
    /// Starts after this cursor, if there is one.
    #[must_use]
    pub fn after(cursor: Option<String>) -> Self {
        Self {
            after: cursor,
            ..Self::default()
        }
    }

    /// The cursor of the last event; none when it was taken already, or when the event has none.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        cursor.take()
    }

    /// The cursor to resume after. It has precedence over the `after` that a client repeats from its first request.
    pub(crate) fn from(&self) -> Option<&String> {
        self.after.as_ref()
    }

    /// Records the cursor of the event that is delivered next.
    pub(crate) fn record(&self, next: String) {
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        *cursor = Some(next);
    }
}

/// The last event that this node had read from the log when the request arrived; none while the node starts.
#[derive(Clone, Debug)]
pub struct ReadWatermark(pub Option<EventCursor>);

/// A position in the event log; everything this request loads is at least as new.
#[must_use]
pub fn reached<'a>(ctx: &Context<'a>) -> Option<&'a EventCursor> {
    ctx.data_unchecked::<ReadWatermark>().0.as_ref()
}

/// Data that some transports attach to a request.
#[must_use]
pub fn extension<'a, D: Send + Sync + 'static, T>(ctx: &ContextBase<'a, T>) -> Option<&'a D> {
    ctx.data_opt::<D>()
}

/// The running server.
#[must_use]
pub fn app<'a, T>(ctx: &ContextBase<'a, T>) -> &'a App {
    ctx.data_unchecked::<App>()
}

/// The caller of this request.
#[must_use]
pub fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    ctx.data_unchecked::<Caller>()
}

/// The signed-in user; UNAUTHENTICATED when there is none.
pub fn viewer<'a>(ctx: &Context<'a>) -> Result<&'a Viewer, FieldError> {
    let viewer = caller(ctx).viewer();
    viewer.ok_or_else(|| FieldError::from(Error::unauthenticated()))
}

/// The loaders of this request, with batching.
#[must_use]
pub(crate) fn loaders<'a, T>(ctx: &ContextBase<'a, T>) -> LoaderHandle<'a> {
    LoaderHandle::shared(ctx.data_unchecked::<Arc<RequestBatches>>())
}

/// The loaders of this request, for keys that no other field loads. They do not wait for a batch where this field
/// is executed once.
#[must_use]
pub(crate) fn unbatched<'a, T>(ctx: &ContextBase<'a, T>) -> LoaderHandle<'a> {
    let shape = ctx.data_unchecked::<DocumentShape>();
    let batches = ctx.data_unchecked::<Arc<RequestBatches>>();
    LoaderHandle::unbatched(ctx, batches, shape.may_repeat_fields)
}
