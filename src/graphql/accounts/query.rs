//! The account query: `Query.viewer`.

use async_graphql::{Context, Object};

use crate::graphql::{accounts::types::Viewer, context::caller};

/// The account queries.
#[derive(Default, Debug)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// The signed-in user; null without a valid session or token.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        caller(ctx).viewer().cloned().map(Viewer)
    }
}
