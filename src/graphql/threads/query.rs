//! The thread query: `Query.thread`.

use async_graphql::{Context, Object};

use crate::{
    db::with_timeout,
    domain::{
        messages::projection::{MessageProjection, WholeMessages},
        threads,
    },
    graphql::{
        context::{unbatched, viewer},
        errors::{Result, nullable},
        loaders::Loaders,
        messages::timeline,
        threads::{
            loader::{ThreadKey, ThreadRepliesOf},
            replies,
            types::Thread,
        },
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
            viewer(ctx)?;
            let loaders = unbatched(ctx);
            let (Some(direct), Some((key, plan))) =
                (loaders.direct(), replies::selected_page(ctx, id))
            else {
                return loaders.load_one(ThreadKey(id)).await;
            };
            match plan {
                Some(plan) => read(direct, key.select(timeline::columns(&plan))).await,
                None => read(direct, key.select(WholeMessages)).await,
            }
        })
        .await
    }
}

/// Reads a thread and prefetches a page of its replies.
async fn read<P: MessageProjection>(
    loaders: &Loaders,
    key: ThreadRepliesOf<P>,
) -> Result<Option<Thread>> {
    let (db, viewer, page) = (
        loaders.app().db.read(),
        loaders.viewer()?,
        (&key.scope, &key.order),
    );
    let found = threads::replies::with_thread(db, viewer, key.thread, page, &key.projection);
    Ok(with_timeout(found).await?.map(|(thread, slice)| {
        loaders.put(key, slice);
        Thread(thread)
    }))
}
