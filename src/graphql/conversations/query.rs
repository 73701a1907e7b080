//! `Query.conversation`, and the viewer's list of conversations.

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
                ConversationPosition,
            },
        },
        errors::{Result, nullable},
        list_plan::{self, Preloaded, RequiredColumns},
        lookahead,
        messages::timeline,
        pagination::{Forward, Page},
        participants::loader::MembershipOf,
        reads::loader::UnreadIn,
    },
    id::ConversationId,
};
use async_graphql::{Context, Object};

/// The default page size.
const PAGE: i32 = 30;

/// The conversation queries.
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
            let (Some(loaders), Some(key)) = (loaders.direct(), timeline::selected_page(ctx, id))
            else {
                return loaders.load_one(ConversationKey(id)).await;
            };
            let (db, columns) = (app(ctx).db.read(), &key.columns);
            let span = (&key.span, key.include_replies);
            let all = conversation::Model::COLUMNS;
            let parent = (id, lookahead::parent_columns(ctx, "messages", all));
            let found =
                conversations::timeline::with_conversation(db, viewer, parent, span, columns);
            Ok(with_timeout(found).await?.map(|(conversation, slice)| {
                loaders.put(key, slice);
                Conversation(conversation)
            }))
        })
        .await
    }
}

/// Returns a page of the viewer's conversations.
pub async fn list(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    filter: Option<ConversationFilter>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<ConversationConnection> {
    let request: Forward<ConversationPosition> = Forward::read(first, PAGE, after)?;
    let filter = filter.unwrap_or_default();
    let conditions = conversations::ConversationFilter {
        kind: filter.kind.map(Into::into),
        unread_only: filter.unread_only == Some(true),
        is_archived: filter.is_archived,
        text: filter.text.filter(|text| !text.trim().is_empty()),
    };
    let after = request.after.map(|(at, id)| (at.0, id));
    let required = list_plan::required_columns::<ConversationEdge, Conversation>(ctx, false)
        .map(RequiredColumns::conversations);
    let columns = required.clone().unwrap_or_else(Columns::all);
    let db = app(ctx).db.read();
    let rows =
        conversations::list(db, viewer, &conditions, after, request.limit(), &columns).await?;
    let mut preloaded = Preloaded {
        is_partial: required.is_some(),
        ..Preloaded::default()
    };
    let rows = rows.into_iter().map(|row| {
        if !columns.participant.is_empty() {
            let id = row.participant.conversation_id;
            preloaded.values.insert(MembershipOf(id), row.participant);
            if let Some(count) = row.unread {
                preloaded.values.insert(UnreadIn(id), count);
            }
        }
        Conversation(row.conversation)
    });
    let page = Page::forward(rows.collect(), &request, Conversation::position);
    Ok(ConversationConnection::from(page).with(preloaded))
}
