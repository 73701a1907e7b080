//! The lists `Conversation.threads` and `Viewer.threads`.

use async_graphql::Context;

use crate::{
    domain::{
        pagination::{PageRequest, Slice},
        threads::lists::{self, ThreadPosition},
    },
    entity::thread,
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        pagination::{Instant, Page, forward},
        threads::{
            loader::ThreadsOf,
            types::{Thread, ThreadConnection},
        },
    },
    id::{ConversationId, ThreadId},
};

/// The default page size.
const PAGE: i32 = 30;

/// Returns a page of the threads of a conversation.
pub(crate) async fn of_conversation(
    ctx: &Context<'_>,
    conversation: ConversationId,
    first: Option<i32>,
    after: Option<String>,
) -> Result<ThreadConnection> {
    let key = ThreadsOf {
        conversation,
        span: span(first, after)?,
    };
    let part = unbatched(ctx).load_or_default(key.clone()).await?;
    Ok(connection(part, &key.span))
}

/// Returns a page of the threads that the viewer follows.
pub(crate) async fn followed(
    ctx: &Context<'_>,
    unread_only: bool,
    first: Option<i32>,
    after: Option<String>,
) -> Result<ThreadConnection> {
    let span = span(first, after)?;
    let part = lists::followed(app(ctx).db.read(), viewer(ctx)?, unread_only, &span).await?;
    Ok(connection(part, &span))
}

fn span(first: Option<i32>, after: Option<String>) -> Result<PageRequest<ThreadPosition>> {
    let span: PageRequest<(Instant, ThreadId)> = forward(first, PAGE, after)?;
    Ok(span.map(|(Instant(time), id)| (time, id)))
}

fn connection(part: Slice<thread::Model>, span: &PageRequest<ThreadPosition>) -> ThreadConnection {
    let key = |row: &thread::Model| (Instant(row.last_activity_at), row.id);
    Page::of(part, span, key).map(Thread).into()
}
