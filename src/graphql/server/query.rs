//! The server query: `Query.server`.

use async_graphql::{Context, Object};

use crate::graphql::{context::app, server::types::Server};

/// The server query.
#[derive(Default, Debug)]
pub struct ServerQuery;

#[Object]
impl ServerQuery {
    /// Facts and limits of this server. They are public, so that a client can adapt before signing in.
    async fn server(&self, ctx: &Context<'_>) -> Server {
        Server::of(app(ctx))
    }
}
