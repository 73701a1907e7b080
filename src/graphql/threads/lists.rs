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
    let loaders = unbatched(ctx);
    let load = |span| {
        let key = ThreadsOf { conversation, span };
        loaders.load_or_default(key)
    };
    connection(ctx, &span(first, after)?, load).await
}

/// Returns a page of the threads that the viewer follows.
pub(crate) async fn followed(
    ctx: &Context<'_>,
    unread_only: bool,
    first: Option<i32>,
    after: Option<String>,
) -> Result<ThreadConnection> {
    let (db, viewer) = (app(ctx).db.read(), viewer(ctx)?);
    let load = |span: PageRequest<ThreadPosition>| async move {
        Ok(lists::followed(db, viewer, unread_only, &span).await?)
    };
    connection(ctx, &span(first, after)?, load).await
}

fn span(first: Option<i32>, after: Option<String>) -> Result<PageRequest<ThreadPosition>> {
    let span: PageRequest<(Instant, ThreadId)> = forward(first, PAGE, after)?;
    Ok(span.map(|(Instant(time), id)| (time, id)))
}

async fn connection<F: Future<Output = Result<Slice<thread::Model>>>>(
    ctx: &Context<'_>,
    span: &PageRequest<ThreadPosition>,
    load: impl Fn(PageRequest<ThreadPosition>) -> F,
) -> Result<ThreadConnection> {
    let key = |row: &thread::Model| (Instant(row.last_activity_at), row.id);
    Ok(Page::read(ctx, span, key, load).await?.map(Thread).into())
}
