//! The list of blocked users: `Viewer.blockedUsers`.

use async_graphql::Context;
use chrono::{DateTime, Utc};

use crate::{
    domain::{blocks, pagination::PageRequest, sessions::Viewer},
    graphql::{
        context::app,
        errors::Result,
        pagination::{Page, forward},
        users::types::{User, UserConnection},
    },
    id::UserId,
};

/// A page of the users whom the viewer blocked.
pub async fn list(
    ctx: &Context<'_>,
    viewer: &Viewer,
    first: Option<i32>,
    after: Option<String>,
) -> Result<UserConnection> {
    let request: PageRequest<(DateTime<Utc>, UserId)> = forward(first, 30, after)?;
    let load = |request| async move { Ok(blocks::list(app(ctx), viewer, request).await?) };
    let page = Page::read(
        ctx,
        &request,
        |(block, _)| (block.created_at, block.blocked_id),
        load,
    );
    Ok(page.await?.map(|(_, user)| User::from(user)).into())
}
