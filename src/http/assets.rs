//! Serves the files that are embedded in the binary: GraphiQL, bundled and compressed, which works without another
//! host, and the browser client.

use std::{
    io::{self, Read as _},
    sync::LazyLock,
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    body::Body,
    extract::Path,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
        },
    },
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rust_embed::RustEmbed;

use super::{field_list::members, headers, negotiation::MediaType, response::GraphqlResponse};
use crate::error::Code;

/// The policy allows only resources and scripts of this server. Inline style sheets are allowed, because the editor
/// adds them to the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Buffer for decompression, in bytes.
const CHUNK: usize = 16 * 1024;

#[derive(RustEmbed)]
#[folder = "web/graphiql/dist"]
struct Graphiql;

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
    serve(&method, &headers, "index.html")
}

/// Serves a file of GraphiQL.
pub(super) async fn graphiql_file(
    method: Method,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Response {
    serve(&method, &headers, &path)
}

fn serve(method: &Method, request: &HeaderMap, path: &str) -> Response {
    if let Some(rejection) = headers::reject_writes(method) {
        return rejection;
    }
    let Some(file) = Graphiql::get(&format!("{path}.br")) else {
        let message = "There is no such file: open /graphiql.";
        let response = GraphqlResponse::http_error(StatusCode::NOT_FOUND, Code::NotFound, message);
        return headers::respond(&response, MediaType::Json);
    };
    let compressed = accepts_brotli(request);
    let body = if compressed {
        Body::from(file.data)
    } else {
        match decompress(&file.data) {
            Ok(text) => Body::from(text),
            Err(error) => return unreadable(&error),
        }
    };
    let mut response = Response::new(body);
    if compressed {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    // The name of every file except the page contains a checksum of its content.
    let is_immutable = path.starts_with("assets/");
    let cache = if is_immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    for (name, value) in [
        (CONTENT_TYPE, content_type(path)),
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, POLICY),
        (VARY, "accept-encoding"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Decompresses a file for a client that does not accept Brotli. All browsers accept it.
fn decompress(compressed: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = vec![];
    brotli_decompressor::Decompressor::new(compressed, CHUNK).read_to_end(&mut text)?;
    Ok(text)
}

fn unreadable(error: &io::Error) -> Response {
    tracing::error!(%error, "an embedded file cannot be decompressed");
    headers::respond(&GraphqlResponse::internal(), MediaType::Json)
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    let quality = |name| {
        let mut codings = members(headers, ACCEPT_ENCODING).filter(|coding| coding.is(name));
        codings.next().map(|coding| coding.quality())
    };
    quality("br")
        .or_else(|| quality("*"))
        .is_some_and(|quality| quality > 0)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("ttf") => "font/ttf",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, encodings: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encodings));
        serve(&Method::GET, &headers, path)
    }

    #[test]
    fn every_file_has_a_known_type_and_no_path_leaves_the_folder() {
        for name in Graphiql::iter() {
            let path = name.strip_suffix(".br").unwrap();
            assert_ne!(content_type(path), "application/octet-stream", "{path}");
            assert_eq!(get(path, "gzip, br").status(), StatusCode::OK);
        }
        for path in [
            "../index.html",
            "",
            "assets",
            "assets/../../../Cargo.toml",
            "index.html.br",
        ] {
            assert_eq!(get(path, "br").status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn brotli_is_sent_only_to_clients_that_accept_it() {
        for (encodings, accepted) in [
            ("gzip, deflate, br, zstd", true),
            ("*", true),
            ("br;q=0.5", true),
            ("BR; Q=.5", true),
            ("*;q=0, br", true),
            ("br;q=0, *", false),
            ("br;q=0, gzip", false),
            ("br;q=.0", false),
            ("br;q=0.000", false),
            ("gzip", false),
            ("", false),
        ] {
            let response = get("index.html", encodings);
            assert_eq!(response.status(), StatusCode::OK);
            let is_compressed = response.headers().contains_key(CONTENT_ENCODING);
            assert_eq!(is_compressed, accepted, "{encodings}");
        }
    }

    #[test]
    fn every_file_can_be_decompressed() {
        for name in Graphiql::iter() {
            assert!(
                !decompress(&Graphiql::get(&name).unwrap().data)
                    .unwrap()
                    .is_empty()
            );
        }
    }
}
