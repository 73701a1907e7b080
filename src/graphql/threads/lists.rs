//! Pages of threads: `Conversation.threads` and `Viewer.threads`.

use async_graphql::Context;

use crate::{
    domain::{
        page::{End, Part, Span},
        threads::lists::{self, Place},
    },
    entity::thread,
    graphql::{
        context::{app, once, viewer},
        errors::Result,
        page::{Forward, Instant, Page},
        threads::{
            loader::ThreadsOf,
            types::{Thread, ThreadConnection},
        },
    },
    id::{ConversationId, ThreadId},
};

/// Threads on a page when nobody says how many.
const PAGE: i32 = 30;

/// The threads of a conversation.
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
        once(ctx).load_one(key).await?.unwrap_or_default(),
        &span,
    ))
}

/// The threads that the viewer follows.
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

fn span(first: Option<i32>, after: Option<&str>) -> Result<Span<Place>> {
    let Forward { size, after } = Forward::<(Instant, ThreadId)>::read(first, PAGE, after)?;
    let after = after.map(|(Instant(time), id)| (time, id));
    Ok(Span {
        after,
        before: None,
        end: End::First,
        size,
    })
}

fn connection(part: Part<thread::Model>, span: &Span<Place>) -> ThreadConnection {
    let key = |row: &thread::Model| (Instant(row.last_activity_at), row.id);
    Page::of(part, span, key).map(Thread).into()
}
