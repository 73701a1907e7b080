//! The list `Viewer.notifications`.

use async_graphql::Context;
use uuid::Uuid;

use crate::{
    domain::{
        notifications::{self, ListedNotification, NotificationPlace, NotificationPosition},
        pagination::PageRequest,
        sessions,
    },
    graphql::{
        context::app,
        errors::Result,
        notifications::types::{Notification, NotificationConnection},
        pagination::{Instant, Page, forward},
    },
    id::{ConversationId, NotificationId},
};

/// The default page size.
const PAGE: i32 = 30;

/// The position of a notification: its time; the conversation and sequence number of the message of a plain one, or the
/// id of another.
type PositionKey = (Instant, Uuid, Option<i32>);

const fn key(listed: &ListedNotification) -> PositionKey {
    let NotificationPosition(at, place) = listed.position;
    match place {
        NotificationPlace::Plain(conversation, seq) => (Instant(at), conversation.0, Some(seq)),
        NotificationPlace::Stored(id) => (Instant(at), id.0, None),
    }
}

fn position((Instant(at), id, seq): PositionKey) -> NotificationPosition {
    let place = match seq {
        Some(seq) => NotificationPlace::Plain(ConversationId(id), seq),
        None => NotificationPlace::Stored(NotificationId(id)),
    };
    NotificationPosition(at, place)
}

/// Returns a page of the viewer's notifications.
pub(crate) async fn notifications(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    unread_only: bool,
    first: Option<i32>,
    after: Option<String>,
) -> Result<NotificationConnection> {
    let request: PageRequest<PositionKey> = forward(first, PAGE, after)?;
    let db = app(ctx).db.read();
    let load = |request: PageRequest<PositionKey>| async move {
        let (after, limit) = (request.after.map(position), request.limit());
        let rows = notifications::list(db, viewer, unread_only, after, limit).await?;
        Ok(request.part(rows))
    };
    let page = Page::read(ctx, &request, key, load).await?;
    Ok(page.map(|listed| Notification(listed.row)).into())
}
