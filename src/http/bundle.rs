//! Serves bundles of files that are embedded in the binary, each compressed with Brotli when it was built.

use std::io::{self, Read as _};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, VARY,
        },
    },
    response::Response,
};
use rust_embed::EmbeddedFile;

use super::{field_list::members, headers, negotiation::MediaType, response::GraphqlResponse};
use crate::error::Code;

/// Buffer for decompression, in bytes.
const CHUNK: usize = 16 * 1024;

/// A folder of compressed files and how they are served.
pub(super) struct Bundle {
    /// Returns the file with this path in the folder.
    pub(super) find: fn(&str) -> Option<EmbeddedFile>,
    /// The content security policy of its pages.
    pub(super) policy: &'static str,
    /// The folder whose files are named after their content, so that a browser can store them for ever.
    pub(super) immutable: &'static str,
    /// What a client reads that requests a file that is not there.
    pub(super) missing: &'static str,
}

impl Bundle {
    /// Responds with a file, or with 404.
    pub(super) fn serve(&self, method: &Method, request: &HeaderMap, path: &str) -> Response {
        if let Some(rejection) = headers::reject_writes(method) {
            return rejection;
        }
        let Some(file) = (self.find)(&format!("{path}.br")) else {
            let response =
                GraphqlResponse::http_error(StatusCode::NOT_FOUND, Code::NotFound, self.missing);
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
        let is_immutable = path.starts_with(self.immutable);
        let cache = if is_immutable {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let fields: [(HeaderName, &'static str); 4] = [
            (CONTENT_TYPE, content_type(path)),
            (CACHE_CONTROL, cache),
            (CONTENT_SECURITY_POLICY, self.policy),
            (VARY, "accept-encoding"),
        ];
        for (name, value) in fields {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
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

pub(super) fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{assets, web};

    fn get(bundle: &Bundle, path: &str, encodings: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encodings));
        bundle.serve(&Method::GET, &headers, path)
    }

    #[test]
    fn every_file_has_a_known_type_and_can_be_decompressed() {
        for (bundle, names) in [
            (&assets::GRAPHIQL, assets::names()),
            (&web::APP, web::names()),
        ] {
            assert!(names.len() > 3, "{names:?}");
            for name in names {
                let path = name.strip_suffix(".br").unwrap();
                assert_ne!(content_type(path), "application/octet-stream", "{path}");
                assert_eq!(get(bundle, path, "gzip, br").status(), StatusCode::OK);
                let file = (bundle.find)(&name).unwrap();
                assert!(!decompress(&file.data).unwrap().is_empty(), "{path}");
            }
        }
    }

    #[test]
    fn no_path_leaves_the_folder() {
        for path in [
            "../index.html",
            "",
            "assets",
            "app",
            "assets/../../../Cargo.toml",
            "app/../../package.json",
            "index.html.br",
        ] {
            for bundle in [&assets::GRAPHIQL, &web::APP] {
                let status = get(bundle, path, "br").status();
                assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            }
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
            let response = get(&web::APP, "index.html", encodings);
            assert_eq!(response.status(), StatusCode::OK);
            let is_compressed = response.headers().contains_key(CONTENT_ENCODING);
            assert_eq!(is_compressed, accepted, "{encodings}");
        }
    }
}
