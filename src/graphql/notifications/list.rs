//! The list `Viewer.notifications`.

use async_graphql::Context;
use sea_orm::QuerySelect;

use crate::{
    domain::{notifications, pagination::PageRequest, sessions},
    entity::notification,
    graphql::{
        context::app,
        errors::Result,
        notifications::types::{Notification, NotificationConnection},
        pagination::{Instant, Page, forward},
    },
    id::NotificationId,
};

/// The default page size.
const PAGE: i32 = 30;

/// Returns a page of the viewer's notifications.
pub(crate) async fn notifications(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    unread_only: bool,
    first: Option<i32>,
    after: Option<String>,
) -> Result<NotificationConnection> {
    let request: PageRequest<(Instant, NotificationId)> = forward(first, PAGE, after)?;
    let db = app(ctx).db.read();
    let key = |row: &notification::Model| (Instant(row.created_at), row.id);
    let load = |request: PageRequest<(Instant, NotificationId)>| async move {
        let after = request.after.map(|(Instant(at), id)| (at, id));
        let select = notifications::list(viewer, unread_only, after).limit(request.limit());
        Ok(request.part(select.all(db).await?))
    };
    let page = Page::read(ctx, &request, key, load).await?;
    Ok(page.map(Notification).into())
}
