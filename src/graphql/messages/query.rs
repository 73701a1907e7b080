//! `Query.message`.

use async_graphql::{Context, Object};

use crate::{
    graphql::{
        context::{once, viewer},
        errors::{Result, maybe},
        messages::{loader::MessageKey, types::Message},
    },
    id::MessageId,
};

/// Entry points of messages.
#[derive(Default, Debug)]
pub struct MessageQuery;

#[Object]
impl MessageQuery {
    /// One message in a conversation the viewer takes part in.
    async fn message(&self, ctx: &Context<'_>, id: MessageId) -> Option<Result<Message>> {
        maybe(async {
            viewer(ctx)?;
            once(ctx).load_one(MessageKey(id)).await
        })
        .await
    }
}
