//! The query of the administration area: `Query.admin`.

use async_graphql::{Context, Object};

use crate::graphql::{
    admin::types::Admin,
    context::viewer,
    errors::{Result, nullable},
};

/// The queries of the administration area.
#[derive(Default, Debug)]
pub struct AdminQuery;

#[Object]
impl AdminQuery {
    /// The administration area; null without a server role above MEMBER.
    async fn admin(&self, ctx: &Context<'_>) -> Option<Result<Admin>> {
        nullable(async { Ok(Admin::of(viewer(ctx)?)) }).await
    }
}
