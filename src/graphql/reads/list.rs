//! The list `Viewer.unreadMessages`.

use async_graphql::Context;

use crate::{
    domain::{
        pagination::PageRequest,
        reads::unread::{self, UnreadPosition, UnreadScope},
        sessions,
    },
    graphql::{
        context::app,
        errors::Result,
        messages::types::{Message, MessageConnection},
        pagination::{Instant, Page, forward},
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
    after: Option<String>,
) -> Result<UnreadMessageConnection> {
    let (db, now) = (app(ctx).db.read(), app(ctx).clock.now());
    let (page, scope) = if let Some(id) = conversation {
        let span: PageRequest<i32> = forward(first, PAGE, after)?;
        let part = unread::list_in(db, viewer, id, &span).await?;
        let page = Page::of(part, &span, |row| row.seq);
        (page, UnreadScope::Conversation(id))
    } else {
        let span: PageRequest<(Instant, ConversationId, i32)> = forward(first, PAGE, after)?;
        let position = |(Instant(at), id, seq)| UnreadPosition(at, id, seq);
        let rows = unread::list(db, viewer, now, span.after.map(position), span.limit()).await?;
        let page = Page::new(rows, &span, |row| {
            (Instant(row.created_at), row.conversation_id, row.seq)
        });
        (page, UnreadScope::Audible(now))
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
