//! The page at the server's own address: says what answers here and where to go on. No script, nothing from elsewhere.

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

/// The page holds its style sheet, and nothing else that could act.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
const PAGE: &str = include_str!("../../web/welcome.html");
/// What only a server in development offers.
const EXPLORE: &str = r#"<p><a href="/graphiql">Explore the API in GraphiQL</a></p>"#;

/// Answers at the server's own address.
pub(super) async fn welcome(State(state): State<AppState>, method: Method) -> Response {
    if let Some(refused) = headers::only_reading(&method) {
        return refused;
    }
    let config = &state.app.config;
    let explore = match config.mode {
        Mode::Development => EXPLORE,
        Mode::Production => "",
    };
    let page = PAGE
        .replace("%explore%", explore)
        .replace("%name%", &ammonia::clean_text(&config.server_name));
    let add_standard_headers =
        |(name, value): (HeaderName, _)| (name, HeaderValue::from_static(value));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers.map(add_standard_headers), page).into_response()
}
