//! The door: HTTP, WebSocket and server-sent events in front of the schema, and what protects them. Everything that knows axum lives here,
//! and nothing else does.

mod assets;
mod client;
mod graphql;
pub mod guard;
mod headers;
mod health;
mod negotiation;
mod operation;
mod origin;
mod request;
mod response;
mod server;
mod socket;
mod sse;
mod stream_limit;
mod welcome;
mod write_timeout;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::any,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    guard::Guard, negotiation::MediaType, origin::Origins, response::GraphqlResponse,
    stream_limit::StreamLimit,
};
use crate::{
    app::App,
    config::Mode,
    error::{Code, Error},
    graphql::{Schema, schema},
};

/// What every request needs. Cheap to clone.
#[derive(Clone)]
struct AppState(Arc<Inner>);

struct Inner {
    app: App,
    schema: Schema,
    guard: Guard,
    origins: Origins,
    stream_limit: StreamLimit,
    /// Cancelled when connections are to end.
    shutdown: CancellationToken,
    /// Connections and sockets, which shutdown waits for.
    connections: TaskTracker,
}

impl std::ops::Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl AppState {
    fn new(app: App, shutdown: CancellationToken) -> Self {
        let schema = schema(&app);
        #[expect(
            clippy::expect_used,
            reason = "the schema is part of the program; a test reads it"
        )]
        let guard = Guard::new(&schema.sdl(), guard::Limits::default())
            .expect("the schema's own text can be read");
        Self(Arc::new(Inner {
            // Behind a proxy that rewrites `Host`, the public address is what browsers call our own.
            origins: Origins::new(
                app.config
                    .allowed_origins
                    .iter()
                    .chain(&app.config.public_url),
            ),
            app,
            schema,
            guard,
            stream_limit: StreamLimit::default(),
            shutdown,
            connections: TaskTracker::new(),
        }))
    }

    fn router(self) -> Router {
        let routes = Router::new()
            .route("/", any(welcome::welcome))
            .route("/graphql", any(graphql::handle))
            .route("/client.js", any(assets::client))
            .route("/healthz", any(health::healthz))
            .route("/readyz", any(health::readyz));
        // People who look around a public server are given no tool for it.
        let routes = if self.app.config.mode == Mode::Development {
            routes
                .route("/graphiql", any(assets::graphiql))
                .route("/graphiql/", any(assets::graphiql))
                .route("/graphiql/{*path}", any(assets::graphiql_file))
        } else {
            routes
        };
        let routes = routes.fallback(unknown).with_state(self.clone());
        origin::allow(routes, &self.origins)
            .layer(from_fn(headers::reject_oversized_requests))
            .layer(headers::contain_panics())
            .layer(from_fn_with_state(self, headers::add_standard_headers))
    }
}

/// Everything that the server answers.
pub fn router(app: App) -> Router {
    let shutdown = app.shutdown.clone();
    AppState::new(app, shutdown).router()
}

/// Serves connections until told to stop, and then until they are finished, within a bound.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    app.hub.start().await?;
    server::serve(AppState::new(app, shutdown), listener).await;
    Ok(())
}

async fn unknown(request: Request) -> Response {
    let answer = GraphqlResponse::rejected(
        StatusCode::NOT_FOUND,
        Code::NotFound,
        "There is nothing here.",
    );
    let media = MediaType::accepted(request.headers()).unwrap_or(MediaType::Json);
    headers::respond(&answer, media)
}
