//! The door: GraphQL over HTTP and WebSocket, health, and what protects them.

pub mod guard;

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    domain::sessions,
    error::Error,
    graphql::{self, Schema, context::Caller},
};

/// Everything that the server answers.
pub fn router(app: App) -> Router {
    let schema = graphql::schema(&app);
    Router::new()
        .route("/graphql", post(graphql_post))
        .with_state((app, schema))
}

/// Serves connections until told to stop, and then until they are finished.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    axum::serve(listener, router(app))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
        .map_err(Error::internal)
}

async fn graphql_post(
    State((app, schema)): State<(App, Schema)>,
    headers: HeaderMap,
    Json(request): Json<async_graphql::Request>,
) -> Json<async_graphql::Response> {
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let viewer = match token {
        Some(token) => sessions::authenticate(&app, token).await.ok(),
        None => None,
    };
    let caller = Caller {
        viewer,
        ..Caller::default()
    };
    Json(
        schema
            .execute(graphql::prepare(&app, caller, request))
            .await,
    )
}
