//! What every answer wears: a request id, the security headers, a JSON body even when something is wrong.

use std::any::Any;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{negotiation::MediaType, response::GraphqlResponse, state::AppState};
use crate::{config::Mode, error::Code};

/// Longest request target, in bytes.
const URL: usize = 8 * 1024;
/// Most that a request's headers may hold, in bytes. The server stops reading them not long after this.
const HEADERS: usize = 32 * 1024;
/// Headers that an answer has by the time it is sent, so that their table need not grow.
const USUAL_HEADERS: usize = 16;
/// Longest request id that is taken over from a client, in characters.
const REQUEST_ID_LENGTH: usize = 64;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Finds a request in the log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The answer as a response.
pub(super) fn respond(answer: &GraphqlResponse, media: MediaType) -> Response {
    let mut response = Response::new(Body::from(answer.encode()));
    *response.headers_mut() = HeaderMap::with_capacity(USUAL_HEADERS);
    *response.status_mut() = answer.status(media);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept, origin"));
    response
}

/// Gives the request its id, and the answer that id and the headers that browsers heed.
pub(super) async fn add_standard_headers(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers());
    let value = HeaderValue::from_str(&id);
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(value) = value {
        headers.insert(REQUEST_ID, value);
    }
    secure(headers, state.app.config.mode == Mode::Production);
    response
}

/// What a handler set itself stays.
fn secure(headers: &mut HeaderMap, production: bool) {
    const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
    let common = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()",
        ),
    ];
    for (name, value) in common {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if production {
        // Browsers heed it only where the connection is encrypted.
        let value = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}

/// Refuses what no client of ours sends.
pub(super) async fn reject_oversized_requests(request: Request, next: Next) -> Response {
    const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
    let length = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if length > URL {
        let answer = GraphqlResponse::rejected(
            StatusCode::URI_TOO_LONG,
            Code::TooComplex,
            "The address is longer than 8 KiB: use POST.",
        );
        return respond(&answer, MediaType::Json);
    }
    let headers = request.headers().iter();
    if headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum::<usize>()
        > HEADERS
    {
        let answer = GraphqlResponse::rejected(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Code::TooComplex,
            "The headers are larger than 32 KiB.",
        );
        return respond(&answer, MediaType::Json);
    }
    if !METHODS.contains(request.method()) {
        return method_not_allowed("GET, POST");
    }
    next.run(request).await
}

/// The answer to a method that an address does not have.
pub(super) fn method_not_allowed(allow: &'static str) -> Response {
    let answer = GraphqlResponse::rejected(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::BadUserInput,
        "This method is not allowed here.",
    );
    let mut response = respond(&answer, MediaType::Json);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// The answer to any method but those that read, at an address that can only be read.
pub(super) fn only_reading(method: &Method) -> Option<Response> {
    let reads = [Method::GET, Method::HEAD].contains(method);
    (!reads).then(|| method_not_allowed("GET, HEAD"))
}

/// Keeps one request's panic from its neighbours.
pub(super) fn contain_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(answer_panic)
}

fn answer_panic(_panic: Box<dyn Any + Send>) -> Response {
    // The panic hook has written what and where.
    respond(&GraphqlResponse::internal(), MediaType::Json)
}

/// The id that came with the request when it is a sane one, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| (1..=REQUEST_ID_LENGTH).contains(&text.len()))
        .filter(|text| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
        .map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(text: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_str(text).unwrap());
        request_id(&headers)
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(id_for("abc-1_2.3"), "abc-1_2.3");
        for insane in ["", "a b", "a\"b", "<x>", &"x".repeat(65)] {
            let minted = id_for(insane);
            assert_eq!(minted.len(), 32, "{insane}");
            assert_ne!(minted, id_for(insane));
        }
    }

    #[test]
    fn what_a_handler_set_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'self'"),
        );
        secure(&mut headers, false);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src 'self'");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        secure(&mut headers, true);
        assert!(headers.contains_key(STRICT_TRANSPORT_SECURITY));
    }
}
