//! The list `Viewer.unreadMessages`.

use async_graphql::Context;

use crate::{
    domain::{
        pagination::PageRequest,
        reads::unread::{self, UnreadPosition, UnreadScope},
        sessions,
    },
    entity::message,
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
        let load = |span: PageRequest<i32>| async move {
            Ok(unread::list_in(db, viewer, id, &span).await?)
        };
        let page = Page::read(ctx, &span, |row| row.seq, load).await?;
        (page, UnreadScope::Conversation(id))
    } else {
        let span: PageRequest<(Instant, ConversationId, i32)> = forward(first, PAGE, after)?;
        let position = |(Instant(at), id, seq)| UnreadPosition(at, id, seq);
        let key = |row: &message::Model| (Instant(row.created_at), row.conversation_id, row.seq);
        let load = |span: PageRequest<_>| async move {
            let after = span.after.map(position);
            let rows = unread::list(db, viewer, now, after, span.limit()).await?;
            Ok(span.part(rows))
        };
        let page = Page::read(ctx, &span, key, load).await?;
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
