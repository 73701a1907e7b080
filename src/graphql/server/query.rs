//! `Query.server`.

use async_graphql::{Context, Object};

use crate::graphql::{context::app, server::types::Server};

/// The entry point of the server itself.
#[derive(Default, Debug)]
pub struct ServerQuery;

#[Object]
impl ServerQuery {
    /// What this server is and allows. Public, so a client can adapt before signing in.
    async fn server(&self, ctx: &Context<'_>) -> Server {
        Server::of(app(ctx))
    }
}
