//! The thread query: `Query.thread`.

use async_graphql::{Context, Object};

use crate::{
    db::with_timeout,
    domain::threads,
    entity::thread,
    graphql::{
        context::{app, unbatched, viewer},
        errors::{Result, nullable},
        lookahead,
        threads::{loader::ThreadKey, replies, types::Thread},
    },
    id::ThreadId,
};

/// The thread queries.
#[derive(Default, Debug)]
pub struct ThreadQuery;

#[Object]
impl ThreadQuery {
    /// One thread in a conversation the viewer takes part in.
    async fn thread(&self, ctx: &Context<'_>, id: ThreadId) -> Option<Result<Thread>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let loaders = unbatched(ctx);
            let (Some(loaders), Some(key)) = (loaders.direct(), replies::selected_page(ctx, id))
            else {
                return loaders.load_one(ThreadKey(id)).await;
            };
            let db = app(ctx).db.read();
            let of_parent = lookahead::parent_columns(ctx, "replies", thread::Column::Id);
            let parent = (id, &of_parent);
            let page = (&key.scope, &key.order);
            let found = threads::replies::with_thread(db, viewer, parent, page, &key.columns);
            Ok(with_timeout(found).await?.map(|(thread, slice)| {
                loaders.put(key, slice);
                Thread(thread.into_inner())
            }))
        })
        .await
    }
}
