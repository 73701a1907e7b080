//! Serves the files that are embedded in the binary: GraphiQL, bundled and compressed, which works without another
//! host, and the browser client.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    body::Body,
    extract::Path,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::RustEmbed;

use super::{
    bundle::{Bundle, content_type},
    field_list::members,
    headers,
};

/// The policy allows only resources and scripts of this server. Inline style sheets are allowed, because the editor
/// adds them to the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/graphiql/dist"]
struct Graphiql;

/// The page of GraphiQL and its files.
pub(super) const GRAPHIQL: Bundle = Bundle {
    find: Graphiql::get,
    policy: POLICY,
    immutable: "assets/",
    missing: "There is no such file: open /graphiql.",
};

/// The browser client and its entity tag.
static CLIENT: LazyLock<(&[u8], String)> = LazyLock::new(|| {
    let client = include_bytes!("../../web/client.js");
    let checksum = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, client));
    (client, format!("\"{checksum}\""))
});

/// Serves the browser client.
pub(super) async fn client(method: Method, request: HeaderMap) -> Response {
    if let Some(rejection) = headers::reject_writes(&method) {
        return rejection;
    }
    let (client, tag) = &*CLIENT;
    let mut cached = members(&request, IF_NONE_MATCH).map(|member| member.name);
    let mut response = Response::new(Body::empty());
    if cached.any(|cached| cached == "*" || cached.trim_start_matches("W/") == tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(*client);
    }
    for (name, value) in [
        (CONTENT_TYPE, content_type("client.js")),
        (CACHE_CONTROL, "no-cache"),
        (ETAG, tag),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Serves the page of GraphiQL.
pub(super) async fn graphiql(method: Method, headers: HeaderMap) -> Response {
    GRAPHIQL.serve(&method, &headers, "index.html")
}

/// Serves a file of GraphiQL.
pub(super) async fn graphiql_file(
    method: Method,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Response {
    GRAPHIQL.serve(&method, &headers, &path)
}

/// The names of the embedded files.
#[cfg(test)]
pub(super) fn names() -> Vec<String> {
    Graphiql::iter().map(|name| name.to_string()).collect()
}
