//! The lists `Conversation.threads` and `Viewer.threads`.

use async_graphql::Context;

use crate::{
    domain::{
        pagination::{Direction, PageRequest, Slice},
        threads::lists::{self, ThreadPosition},
    },
    entity::thread,
    graphql::{
        context::{app, unbatched, viewer},
        errors::Result,
        pagination::{Forward, Instant, Page},
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
    after: Option<&str>,
) -> Result<ThreadConnection> {
    let span = span(first, after)?;
    let key = ThreadsOf {
        conversation,
        span: span.clone(),
    };
    Ok(connection(
        unbatched(ctx).load_one(key).await?.unwrap_or_default(),
        &span,
    ))
}

/// Returns a page of the threads that the viewer follows.
pub(crate) async fn followed(
    ctx: &Context<'_>,
    unread_only: bool,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<ThreadConnection> {
    let span = span(first, after)?;
    let part = lists::followed(app(ctx).db.read(), viewer(ctx)?, unread_only, &span).await?;
    Ok(connection(part, &span))
}

fn span(first: Option<i32>, after: Option<&str>) -> Result<PageRequest<ThreadPosition>> {
    let Forward { size, after } = Forward::<(Instant, ThreadId)>::read(first, PAGE, after)?;
    let after = after.map(|(Instant(time), id)| (time, id));
    Ok(PageRequest {
        after,
        before: None,
        end: Direction::First,
        size,
    })
}

fn connection(part: Slice<thread::Model>, span: &PageRequest<ThreadPosition>) -> ThreadConnection {
    let key = |row: &thread::Model| (Instant(row.last_activity_at), row.id);
    Page::of(part, span, key).map(Thread).into()
}
