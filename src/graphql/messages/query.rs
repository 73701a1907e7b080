//! The message query: `Query.message`.

use async_graphql::{Context, Object};

use crate::{
    graphql::{
        context::{unbatched, viewer},
        errors::{Result, nullable},
        messages::{loader::MessageKey, types::Message},
    },
    id::MessageId,
};

/// The message queries.
#[derive(Default, Debug)]
pub struct MessageQuery;

#[Object]
impl MessageQuery {
    /// One message in a conversation the viewer takes part in.
    async fn message(&self, ctx: &Context<'_>, id: MessageId) -> Option<Result<Message>> {
        nullable(async {
            viewer(ctx)?;
            unbatched(ctx).load_one(MessageKey(id)).await
        })
        .await
    }
}
