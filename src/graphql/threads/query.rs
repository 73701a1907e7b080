//! `Query.thread`.

use async_graphql::{Context, Object};

use crate::{
    graphql::{
        context::{once, viewer},
        errors::{Result, maybe},
        threads::{loader::ThreadKey, types::Thread},
    },
    id::ThreadId,
};

/// Entry points of threads.
#[derive(Default, Debug)]
pub struct ThreadQuery;

#[Object]
impl ThreadQuery {
    /// One thread in a conversation the viewer takes part in.
    async fn thread(&self, ctx: &Context<'_>, id: ThreadId) -> Option<Result<Thread>> {
        maybe(async {
            viewer(ctx)?;
            once(ctx).load_one(ThreadKey(id)).await
        })
        .await
    }
}
