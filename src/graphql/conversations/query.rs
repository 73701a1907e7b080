//! `Query.conversation` and the viewer's list.

use crate::{
    db::with_timeout,
    domain::{
        conversations::{self, Columns},
        sessions,
    },
    entity::conversation,
    graphql::{
        context::{app, unbatched, viewer},
        conversations::{
            loader::ConversationKey,
            types::{
                Conversation, ConversationConnection, ConversationEdge, ConversationFilter,
                ConversationPlace,
            },
        },
        errors::{Result, nullable},
        list_plan::{self, Preloaded, RequiredColumns},
        lookahead,
        messages::timeline,
        pagination::{Forward, Page},
    },
    id::ConversationId,
};
use async_graphql::{Context, Object};

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
        nullable(async {
            let viewer = viewer(ctx)?;
            let loaders = unbatched(ctx);
            let (Some(loaders), Some(key)) = (loaders.direct(), timeline::ahead(ctx, id)) else {
                return loaders.load_one(ConversationKey(id)).await;
            };
            let (db, columns) = (app(ctx).db.read(), &key.columns);
            let span = (&key.span, key.include_replies);
            let all = conversation::Model::COLUMNS;
            let which = (id, lookahead::columns_beside(ctx, "messages", all));
            let found =
                conversations::timeline::with_conversation(db, viewer, which, span, columns);
            Ok(with_timeout(found).await?.map(|(conversation, part)| {
                loaders.put(key, part);
                Conversation(conversation)
            }))
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
    let narrowing = conversations::ConversationFilter {
        kind: filter.kind.map(Into::into),
        unread_only: filter.unread_only == Some(true),
        is_archived: filter.is_archived,
        text: filter.text.filter(|text| !text.trim().is_empty()),
    };
    let after = request.after.map(|(at, id)| (at.0, id));
    let asked = list_plan::required_columns::<ConversationEdge, Conversation>(ctx, false)
        .map(RequiredColumns::conversations);
    let columns = asked.clone().unwrap_or_else(Columns::all);
    let db = app(ctx).db.read();
    let rows =
        conversations::list(db, viewer, &narrowing, after, request.limit(), &columns).await?;
    let mut at_hand = Preloaded {
        is_partial: asked.is_some(),
        ..Preloaded::default()
    };
    let rows = rows.into_iter().map(|row| {
        if !columns.participant.is_empty() {
            at_hand.places.push((row.participant, row.unread));
        }
        Conversation(row.conversation)
    });
    let page = Page::forward(rows.collect(), &request, Conversation::place);
    Ok(ConversationConnection::from(page).with(at_hand))
}
