//! The welcome page at `/`, which describes the server and links to its documentation. It uses no script and no other
//! host.

use axum::{
    extract::State,
    http::{
        HeaderName, HeaderValue, Method,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

use super::{headers, state::AppState};
use crate::config::Mode;

/// The page contains its style sheet and loads nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
const PAGE: &str = include_str!("../../web/welcome.html");
/// A link that only development mode offers.
const EXPLORE: &str = r#"<p><a href="/graphiql">Explore the API in GraphiQL</a></p>"#;

/// Serves the welcome page.
pub(super) async fn welcome(State(state): State<AppState>, method: Method) -> Response {
    if let Some(rejection) = headers::reject_writes(&method) {
        return rejection;
    }
    let config = &state.app.config;
    let explore = match config.mode {
        Mode::Development => EXPLORE,
        Mode::Production => "",
    };
    let page = PAGE
        .replace("%explore%", explore)
        .replace("%name%", &ammonia::clean_text(&config.server_name));
    let parsed = |(name, value): (HeaderName, _)| (name, HeaderValue::from_static(value));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers.map(parsed), page).into_response()
}
