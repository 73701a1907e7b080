//! `Query.conversation`, and the viewer's list of conversations.

use crate::{
    db::with_timeout,
    domain::{
        conversations::{self, ConversationColumns, ConversationRow},
        messages::projection::{MessageProjection, WholeMessages},
        pagination::PageRequest,
        sessions,
    },
    entity::{conversation, partial::Columns},
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
        list_plan::{ConnectionPlan, KnownValues},
        loaders::Loaders,
        messages::{loader::TimelineOf, timeline},
        pagination::{Instant, Page, forward},
        participants::loader::MembershipOf,
        reads::loader::UnreadIn,
        text_filter,
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
            viewer(ctx)?;
            let loaders = unbatched(ctx);
            let (Some(direct), Some((key, plan))) =
                (loaders.direct(), timeline::selected_page(ctx, id))
            else {
                return loaders.load_one(ConversationKey(id)).await;
            };
            match plan {
                Some(plan) => read(direct, key.select(timeline::columns(&plan))).await,
                None => read(direct, key.select(WholeMessages)).await,
            }
        })
        .await
    }
}

/// Reads a conversation and prefetches a page of its timeline.
async fn read<P: MessageProjection>(
    loaders: &Loaders,
    key: TimelineOf<P>,
) -> Result<Option<Conversation>> {
    let (db, viewer, id) = (loaders.app().db.read(), loaders.viewer()?, key.conversation);
    let page = (&key.span, key.include_replies);
    let found = conversations::timeline::with_conversation(db, viewer, id, page, &key.projection);
    Ok(with_timeout(found).await?.map(|(conversation, slice)| {
        loaders.put(key, slice);
        Conversation(conversation)
    }))
}

/// Returns a page of the viewer's conversations.
pub async fn list(
    ctx: &Context<'_>,
    viewer: &sessions::Viewer,
    filter: Option<ConversationFilter>,
    first: Option<i32>,
    after: Option<String>,
) -> Result<ConversationConnection> {
    let request: PageRequest<ConversationPosition> = forward(first, PAGE, after)?;
    let filter = filter.unwrap_or_default();
    let conditions = conversations::ConversationFilter {
        kind: filter.kind.map(Into::into),
        unread_only: filter.unread_only == Some(true),
        is_archived: filter.is_archived,
        text: text_filter::read(app(ctx), viewer, filter.text).await?,
    };
    let (db, conditions) = (app(ctx).db.read(), &conditions);
    let after = |request: &PageRequest<ConversationPosition>| {
        let after = request.after.as_ref();
        after.map(|(at, id)| (at.0, *id))
    };
    let Some(plan) = ConnectionPlan::<ConversationEdge, Conversation>::current(ctx) else {
        let key = |row: &conversation::Model| (Instant(row.last_activity_at), row.id);
        let load = |request: PageRequest<_>| async move {
            let (after, limit) = (after(&request), request.limit());
            let rows = conversations::list(db, viewer, conditions, after, limit).await?;
            Ok(request.part(rows))
        };
        let page = Page::read(ctx, &request, key, load).await?;
        return Ok(page.map(Conversation).into());
    };
    let columns = ConversationColumns {
        conversation: Columns::new(plan.required.conversation.iter().copied()),
        participant: Columns::new(plan.required.participant.iter().copied()),
        unread: plan.required.unread,
    };
    let columns = &columns;
    let key = |row: &ConversationRow| (Instant(row.key.last_activity_at), row.key.id);
    let load = |request: PageRequest<_>| async move {
        let (after, limit) = (after(&request), request.limit());
        let rows = conversations::list_columns(db, viewer, conditions, after, limit, columns);
        Ok(request.part(rows.await?))
    };
    let page = Page::read(ctx, &request, key, load).await?;
    let (mut memberships, mut counts) = (vec![], vec![]);
    let page = page.map(|row| {
        let id = row.key.id;
        memberships.extend(row.participant.map(|row| (MembershipOf(id), row)));
        counts.extend(row.unread.map(|count| (UnreadIn(id), count.into())));
        row.conversation.map(Conversation)
    });
    let known = KnownValues::default();
    known.extend(memberships);
    known.extend(counts);
    Ok(ConversationConnection::planned(page, &plan, known))
}
