//! The list `Viewer.unreadMessages`.

use async_graphql::Context;

use crate::{
    domain::{
        reads::unread::{self, UnreadPosition, UnreadScope},
        sessions,
    },
    entity::message,
    graphql::{
        context::app,
        errors::Result,
        messages::types::{Message, MessageConnection},
        pagination::{Forward, Instant, Page},
        reads::types::UnreadMessageConnection,
    },
    id::ConversationId,
};

/// The default page size.
const PAGE: i32 = 50;

/// Returns a page of the viewer's unread messages.
pub(crate) async fn unread_messages(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    conversation: Option<ConversationId>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<UnreadMessageConnection> {
    let (page, scope) = if let Some(id) = conversation {
        let page = of_one(ctx, viewer, id, first, after).await?;
        (page, UnreadScope::Conversation(id))
    } else {
        let now = app(ctx).clock.now();
        (
            of_all(ctx, viewer, now, first, after).await?,
            UnreadScope::Audible(now),
        )
    };
    let MessageConnection {
        edges,
        nodes,
        page_info,
    } = page.map(Message::from).into();
    Ok(UnreadMessageConnection {
        edges,
        nodes,
        page_info,
        scope,
    })
}

async fn of_one(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    conversation: ConversationId,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Page<message::Model>> {
    let span = Forward::<i32>::read(first, PAGE, after)?.span();
    let part = unread::list_in(app(ctx).db.read(), viewer, conversation, &span).await?;
    Ok(Page::of(part, &span, |row| row.seq))
}

async fn of_all(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    now: chrono::DateTime<chrono::Utc>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Page<message::Model>> {
    let request: Forward<(Instant, ConversationId, i32)> = Forward::read(first, PAGE, after)?;
    let after = request
        .after
        .map(|(Instant(at), conversation, seq)| UnreadPosition(at, conversation, seq));
    let rows = unread::list(app(ctx).db.read(), viewer, now, after, request.limit()).await?;
    Ok(Page::forward(rows, &request, |row| {
        let UnreadPosition(at, conversation, seq) = UnreadPosition::from(row);
        (Instant(at), conversation, seq)
    }))
}
