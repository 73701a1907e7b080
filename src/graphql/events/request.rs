//! Data that a transport attaches to a subscription request.

use async_graphql::Context;

use crate::graphql::{
    context::{Resume, extension},
    events::{shared_payload::PreloadedEvent, stream::Share},
};

/// How the transport resumes this stream, if it does.
pub(super) fn resume<'a>(ctx: &Context<'a>) -> Option<&'a Resume> {
    extension(ctx)
}

/// How this subscription shares payloads, if it does.
pub(super) fn share<'a>(ctx: &Context<'a>) -> Option<&'a Share> {
    extension(ctx)
}

/// The one event that this request executes instead of opening a stream.
pub(super) fn preloaded<'a>(ctx: &Context<'a>) -> Option<&'a PreloadedEvent> {
    extension(ctx)
}
