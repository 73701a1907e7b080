//! The routes of the server and the middleware around them. The handlers are in the other modules of `http`.

use axum::{
    Router, extract::Request, http::StatusCode, middleware::from_fn_with_state, response::Response,
    routing::any,
};

use super::{
    assets, edge, graphql, headers, health, negotiation::MediaType, origin,
    response::GraphqlResponse, state::AppState, web,
};
use crate::{app::App, config::Mode, error::Code};

/// Returns a router that serves every route, for an HTTP server of the caller.
pub fn router(app: App) -> Router {
    let shutdown = app.shutdown.clone();
    routes(AppState::new(app, shutdown))
}

/// Returns the routes with their middleware.
pub(super) fn routes(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", any(web::page))
        .route("/c/{*path}", any(web::page))
        .route("/t/{*path}", any(web::page))
        .route("/inbox", any(web::page))
        .route("/settings", any(web::page))
        .route("/setup", any(web::page))
        .route("/invite", any(web::page))
        .route("/verify-email", any(web::page))
        .route("/reset-password", any(web::page))
        .route("/admin", any(web::console))
        .route("/admin/{*path}", any(web::console))
        .route("/manifest.webmanifest", any(web::manifest))
        .route("/sw.js", any(web::worker))
        .route("/app/{*path}", any(web::file))
        .route("/licenses.txt", any(web::licenses))
        .route("/graphql", any(graphql::handle))
        .route("/client.js", any(assets::client))
        .route("/healthz", any(health::healthz))
        .route("/readyz", any(health::readyz));
    // A production server does not offer tools for exploring its API.
    let routes = if state.app.config.mode == Mode::Development {
        routes
            .route("/graphiql", any(assets::graphiql))
            .route("/graphiql/", any(assets::graphiql))
            .route("/graphiql/{*path}", any(assets::graphiql_file))
    } else {
        routes
    };
    let routes = routes.fallback(not_found).with_state(state.clone());
    origin::allow(routes, &state.origins)
        .layer(from_fn_with_state(state.clone(), edge::admit))
        .layer(headers::contain_panics())
        .layer(from_fn_with_state(state, headers::add_standard_headers))
}

async fn not_found(request: Request) -> Response {
    let response = GraphqlResponse::http_error(
        StatusCode::NOT_FOUND,
        Code::NotFound,
        "There is no such page: the API is at `/graphql`.",
    );
    let media = MediaType::accepted(request.headers()).unwrap_or(MediaType::Json);
    headers::respond(&response, media)
}
