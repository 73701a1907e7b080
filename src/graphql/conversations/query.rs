//! `Query.conversation`, and the viewer's list of conversations.

use crate::{
    db::with_timeout,
    domain::{
        conversations::{self, ConversationColumns, ConversationRow, ListColumn},
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
        list_plan::{ConnectionPlan, PreloadedValues},
        lookahead,
        messages::timeline,
        pagination::{Forward, Instant, Page},
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
            let of_parent = lookahead::parent_columns(ctx, "messages", conversation::Column::Id);
            let parent = (id, &of_parent);
            let found =
                conversations::timeline::with_conversation(db, viewer, parent, span, columns);
            Ok(with_timeout(found).await?.map(|(conversation, slice)| {
                loaders.put(key, slice);
                Conversation(conversation.into_inner())
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
    let plan = ConnectionPlan::<ConversationEdge, Conversation>::current(ctx);
    let columns = plan.as_ref().map_or_else(ConversationColumns::all, |plan| {
        ConversationColumns::new(plan.columns::<ListColumn>())
    });
    let db = app(ctx).db.read();
    let rows =
        conversations::list(db, viewer, &conditions, after, request.limit(), &columns).await?;
    let position = |row: &ConversationRow| {
        let conversation = row.conversation.loaded();
        (Instant(conversation.last_activity_at), conversation.id)
    };
    let page = Page::forward(rows, &request, position);
    let Some(plan) = plan else {
        // Without a plan, all columns were read.
        let page = page.map(|row| Conversation(row.conversation.into_inner()));
        return Ok(page.into());
    };
    let mut preloaded = PreloadedValues::default();
    let page = page.map(|row| {
        let id = row.conversation.loaded().id;
        if let Some(participant) = row.participant {
            preloaded.insert(MembershipOf(id), participant);
        }
        if let Some(count) = row.unread {
            preloaded.insert(UnreadIn(id), count.into());
        }
        row.conversation.map(Conversation)
    });
    Ok(ConversationConnection::planned(page, &plan, preloaded))
}
