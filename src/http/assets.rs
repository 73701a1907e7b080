//! Files that the binary carries: GraphiQL, bundled and compressed beforehand, so that it works without any other host,
//! and the client for browsers, as it is.

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

use super::{headers, negotiation::MediaType, response::GraphqlResponse};
use crate::error::Code;

/// Nothing from elsewhere, and no code that is not a file of ours. The editor writes its style sheets into the page, so
/// this one page may have such.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Bytes unpacked at a time.
const CHUNK: usize = 16 * 1024;

#[derive(RustEmbed)]
#[folder = "web/graphiql/dist"]
struct Graphiql;

/// The client for browsers, and its checksum.
static CLIENT: LazyLock<(&[u8], String)> = LazyLock::new(|| {
    let client = include_bytes!("../../web/client.js");
    let checksum = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, client));
    (client, format!("\"{checksum}\""))
});

/// The client for browsers.
pub(super) async fn client(method: Method, wanted: HeaderMap) -> Response {
    if let Some(refused) = headers::only_reading(&method) {
        return refused;
    }
    let (client, tag) = &*CLIENT;
    let mut known = wanted
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    let mut response = Response::new(Body::empty());
    if known.any(|known| known.trim().trim_start_matches("W/") == tag) {
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

/// The page itself.
pub(super) async fn graphiql(method: Method, headers: HeaderMap) -> Response {
    serve(&method, &headers, "index.html")
}

/// One of its files.
pub(super) async fn graphiql_file(
    method: Method,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Response {
    serve(&method, &headers, &path)
}

fn serve(method: &Method, wanted: &HeaderMap, path: &str) -> Response {
    if let Some(refused) = headers::only_reading(method) {
        return refused;
    }
    let Some(file) = Graphiql::get(&format!("{path}.br")) else {
        return refuse(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "There is no such file.",
        );
    };
    let compressed = takes_brotli(wanted);
    let body = if compressed {
        Body::from(file.data)
    } else {
        match plain(&file.data) {
            Ok(text) => Body::from(text),
            Err(error) => return broken(&error),
        }
    };
    let mut response = Response::new(body);
    if compressed {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    // The names of all but the page itself hold a checksum of what they name.
    let named_by_content = path.starts_with("assets/");
    let cache = if named_by_content {
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

fn refuse(status: StatusCode, code: Code, message: &str) -> Response {
    headers::respond(
        &GraphqlResponse::rejected(status, code, message),
        MediaType::Json,
    )
}

/// For the few clients that do not read what the files are kept in. Browsers all do.
fn plain(compressed: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = vec![];
    brotli_decompressor::Decompressor::new(compressed, CHUNK).read_to_end(&mut text)?;
    Ok(text)
}

fn broken(error: &io::Error) -> Response {
    tracing::error!(%error, "a file of this binary cannot be unpacked");
    headers::respond(&GraphqlResponse::internal(), MediaType::Json)
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .find_map(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = quality.trim().trim_start_matches("q=").parse() == Ok(0.0_f32);
            ["br", "*"].contains(&name.trim()).then_some(!refused)
        })
        .unwrap_or(false)
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
    fn every_file_has_a_known_type_and_no_file_is_found_by_climbing() {
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
    fn brotli_goes_to_those_who_accept_it() {
        for (encodings, accepted) in [
            ("gzip, deflate, br, zstd", true),
            ("*", true),
            ("br;q=0.5", true),
            ("br;q=0, gzip", false),
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
    fn every_file_can_be_unpacked() {
        for name in Graphiql::iter() {
            assert!(
                !plain(&Graphiql::get(&name).unwrap().data)
                    .unwrap()
                    .is_empty()
            );
        }
    }
}
