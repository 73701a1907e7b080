//! The list `Viewer.unreadMessages`.

use async_graphql::Context;

use crate::{
    domain::{
        messages::across::{self, MessageFilter},
        pagination::{Direction, PageRequest},
        reads::unread::{self, UnreadScope},
        sessions,
    },
    graphql::{
        context::app,
        errors::Result,
        messages::{
            across::{PositionKey, key_of},
            types::{Message, MessageConnection},
        },
        pagination::{Both, PAGE_OF_BOTH, Page},
        reads::types::UnreadMessageConnection,
    },
    id::ConversationId,
};

/// Returns a page of the viewer's unread messages.
pub(crate) async fn unread_messages(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    conversation: Option<ConversationId>,
    both: Both,
) -> Result<UnreadMessageConnection> {
    let (db, now) = (app(ctx).db.read(), app(ctx).clock.now());
    let (page, scope) = if let Some(id) = conversation {
        let span: PageRequest<i32> = both.read(PAGE_OF_BOTH, Direction::First)?;
        let load = |span: PageRequest<i32>| async move {
            Ok(unread::list_in(db, viewer, id, &span).await?)
        };
        let page = Page::read(ctx, &span, |row| row.seq, load).await?;
        (page, UnreadScope::Conversation(id))
    } else {
        let span: PageRequest<PositionKey> = both.read(PAGE_OF_BOTH, Direction::First)?;
        let all = &MessageFilter::default();
        let load = |span: PageRequest<PositionKey>| async move {
            let span = span.map(Into::into);
            Ok(across::unread(db, viewer, all, Some(now), &span, false).await?)
        };
        let page = Page::read(ctx, &span, key_of, load).await?;
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
