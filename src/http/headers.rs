//! Middleware and helpers for all responses: request ids, security headers and JSON bodies for errors.

use std::any::Any;

use async_graphql::Value;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            RETRY_AFTER, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    negotiation::MediaType, request_source::RequestSource, response::GraphqlResponse,
    state::AppState,
};
use crate::error::Code;

/// Initial capacity for headers, so that their table does not grow.
const HEADER_CAPACITY: usize = 16;
/// When a client may send a request again that the server was too busy for, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";
/// Maximum length of a request id from a client, in characters.
const MAX_REQUEST_ID_LENGTH: usize = 64;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, which log lines and responses contain.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// Converts a GraphQL response to an HTTP response.
pub(super) fn respond(graphql: &GraphqlResponse, media: MediaType) -> Response {
    let mut response = Response::new(Body::from(graphql.encode()));
    *response.headers_mut() = HeaderMap::with_capacity(HEADER_CAPACITY);
    *response.status_mut() = graphql.status(media);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept, origin"));
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Some(seconds) = retry_after_seconds(graphql)
    {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// The time after which a retry may succeed, in whole seconds.
fn retry_after_seconds(graphql: &GraphqlResponse) -> Option<u64> {
    match graphql.errors.first()?.extensions.get("retryAfterMs")? {
        Value::Number(millis) => millis.as_u64().map(|millis| millis.div_ceil(1000)),
        _ => None,
    }
}

/// Adds the request id to the request, and the request id and the security headers to the response.
pub(super) async fn add_standard_headers(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_https = RequestSource::of(&request, &state.app.config.trusted_proxies).is_https();
    let id = request_id(request.headers());
    let value = HeaderValue::from_str(&id);
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    let is_busy = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&response.status());
    let headers = response.headers_mut();
    if is_busy {
        let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
        headers.entry(RETRY_AFTER).or_insert(seconds);
    }
    if let Ok(value) = value {
        headers.insert(REQUEST_ID, value);
    }
    add_security_headers(headers, is_https);
    response
}

/// Adds the security headers that a handler has not set.
fn add_security_headers(headers: &mut HeaderMap, is_https: bool) {
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
    if is_https {
        let value = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}

/// Creates the response to a method that a route does not support.
pub(super) fn method_not_allowed(allow: &'static str) -> Response {
    let response = GraphqlResponse::http_error(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::BadUserInput,
        "This URL does not support this method: see the `Allow` header.",
    );
    let mut response = respond(&response, MediaType::Json);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Creates the response to any method except GET and HEAD. `None` for those two.
pub(super) fn reject_writes(method: &Method) -> Option<Response> {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    (!is_read).then(|| method_not_allowed("GET, HEAD"))
}

/// Returns the layer that converts a panic to an internal error.
pub(super) fn contain_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(panic_response)
}

fn panic_response(_panic: Box<dyn Any + Send>) -> Response {
    // The panic hook logs the panic.
    respond(&GraphqlResponse::internal(), MediaType::Json)
}

/// Returns the client's request id if it is valid, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| (1..=MAX_REQUEST_ID_LENGTH).contains(&text.len()))
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
    fn a_valid_request_id_is_kept_and_any_other_is_replaced() {
        assert_eq!(id_for("abc-1_2.3"), "abc-1_2.3");
        for invalid in ["", "a b", "a\"b", "<x>", &"x".repeat(65)] {
            let generated = id_for(invalid);
            assert_eq!(generated.len(), 32, "{invalid}");
            assert_ne!(generated, id_for(invalid));
        }
    }

    #[test]
    fn headers_that_a_handler_set_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'self'"),
        );
        add_security_headers(&mut headers, false);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src 'self'");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        add_security_headers(&mut headers, true);
        assert!(headers.contains_key(STRICT_TRANSPORT_SECURITY));
    }
}
