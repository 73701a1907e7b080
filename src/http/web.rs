//! The reference web client and the console: their pages at the addresses of their screens, and the files that they load.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, Method},
    response::Response,
};
use rust_embed::RustEmbed;

use super::{bundle::Bundle, state::AppState};
use crate::config::Mode;

/// The policy allows only files of this server, no inline code and no inline style sheet. Only the client's own Trusted
/// Types policy can turn text into HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
    img-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types heddle";

#[derive(RustEmbed)]
#[folder = "web/app/dist"]
struct App;

/// The client and its files.
pub(super) const APP: Bundle = Bundle {
    find: App::get,
    policy: POLICY,
    immutable: "app/",
    missing: "There is no such file: open /.",
};

/// Serves the page. The script chooses the screen by the address. In development mode the page has an attribute, for
/// which the client shows a link to GraphiQL.
pub(super) async fn page(
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let page = match state.app.config.mode {
        Mode::Development => "development.html",
        Mode::Production => "index.html",
    };
    APP.serve(&method, &headers, page)
}

/// Serves the page of the console, whose script chooses what it shows. What a user may see, the API decides.
pub(super) async fn console(method: Method, headers: HeaderMap) -> Response {
    APP.serve(&method, &headers, "console.html")
}

/// Serves a file of the client.
pub(super) async fn file(method: Method, headers: HeaderMap, Path(path): Path<String>) -> Response {
    APP.serve(&method, &headers, &format!("app/{path}"))
}

/// Serves the description by which a browser installs the client.
pub(super) async fn manifest(method: Method, headers: HeaderMap) -> Response {
    APP.serve(&method, &headers, "manifest.webmanifest")
}

/// Serves the service worker. Its path is the folder of the pages that it may control.
pub(super) async fn worker(method: Method, headers: HeaderMap) -> Response {
    APP.serve(&method, &headers, "sw.js")
}

/// Serves the licences of what the client contains.
pub(super) async fn licenses(method: Method, headers: HeaderMap) -> Response {
    APP.serve(&method, &headers, "licenses.txt")
}

/// The names of the embedded files.
#[cfg(test)]
pub(super) fn names() -> Vec<String> {
    App::iter().map(|name| name.to_string()).collect()
}
