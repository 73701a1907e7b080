//! `Query.conversation` and the viewer's list.

use async_graphql::{Context, Object};
use sea_orm::QuerySelect;

use crate::{
    domain::{
        conversations::{self, Narrowing},
        sessions,
    },
    graphql::{
        context::{app, once, viewer},
        conversations::{
            loader::ConversationKey,
            types::{Conversation, ConversationConnection, ConversationFilter, ConversationPlace},
        },
        errors::{Result, maybe},
        page::{Forward, Page},
    },
    id::ConversationId,
};

/// Longest list page that is served unasked.
const PAGE: i32 = 30;

/// Entry points of conversations.
#[derive(Default, Debug)]
pub struct ConversationQuery;

#[Object]
impl ConversationQuery {
    /// One conversation the viewer takes part in.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        id: ConversationId,
    ) -> Option<Result<Conversation>> {
        maybe(async {
            viewer(ctx)?;
            once(ctx).load_one(ConversationKey(id)).await
        })
        .await
    }
}

/// A page of the viewer's list.
pub async fn list(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    filter: Option<ConversationFilter>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<ConversationConnection> {
    let request: Forward<ConversationPlace> = Forward::read(first, PAGE, after)?;
    let filter = filter.unwrap_or_default();
    let narrowing = Narrowing {
        kind: filter.kind.map(Into::into),
        unread_only: filter.unread_only == Some(true),
        is_archived: filter.is_archived,
        text: filter.text.filter(|text| !text.trim().is_empty()),
    };
    let after = request.after.map(|(at, id)| (at.0, id));
    let rows = conversations::list(viewer, &narrowing, after)
        .limit(request.limit())
        .all(app(ctx).db.read())
        .await?;
    let rows = rows.into_iter().map(Conversation).collect();
    Ok(Page::forward(rows, &request, Conversation::place).into())
}
