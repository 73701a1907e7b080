//! Decides whether a request reaches its route: its size, its method, the host and the scheme that the client used, and
//! the number of connections of the client.

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode, Version,
        header::{HOST, LOCATION, TRANSFER_ENCODING},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    connections::ConnectionInfo,
    field_list::members,
    headers::{method_not_allowed, respond},
    health,
    hosts::Hosts,
    negotiation::MediaType,
    request_source::RequestSource,
    response::GraphqlResponse,
    state::AppState,
};
use crate::error::Code;

/// Maximum length of a request target, in bytes.
const MAX_TARGET_BYTES: usize = 8 * 1024;
/// Maximum size of a request's headers, in bytes. The read buffer of `server` has the same size.
const MAX_HEADER_BYTES: usize = 32 * 1024;
const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];

/// Rejects requests that no route may receive.
pub(super) async fn admit(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let source = RequestSource::of(&request, &state.app.config.trusted_proxies);
    request.extensions_mut().insert(source);
    if let Some(rejection) = check_size(&request).or_else(|| check_framing(&request)) {
        return rejection;
    }
    // Load balancers check the health of a node by its address.
    if !health::PATHS.contains(&request.uri().path()) {
        let rejection = check_host(&state.hosts, &request, source)
            .or_else(|| check_scheme(&state.hosts, &request, source));
        if let Some(rejection) = rejection {
            return rejection;
        }
    }
    let connection = request.extensions().get::<ConnectionInfo>().cloned();
    let Some(connection) = connection else {
        return next.run(request).await;
    };
    if let Some(client) = source.client
        && client != connection.peer.ip().to_canonical()
        && !connection.set_client(client)
    {
        return reject(
            StatusCode::TOO_MANY_REQUESTS,
            Code::LimitReached,
            "Your address has the maximum of open connections: close one first.",
        );
    }
    let _busy = connection.begin_request();
    next.run(request).await
}

/// Rejects an oversized target, oversized headers and unsupported methods.
fn check_size(request: &Request) -> Option<Response> {
    let target = request.uri().path_and_query();
    if target.map_or(0, |target| target.as_str().len()) > MAX_TARGET_BYTES {
        return Some(reject(
            StatusCode::URI_TOO_LONG,
            Code::TooComplex,
            "The URL is longer than 8 KiB: send the document with POST.",
        ));
    }
    let headers = request.headers().iter();
    if headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum::<usize>()
        > MAX_HEADER_BYTES
    {
        return Some(reject(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Code::TooComplex,
            "The request headers are larger than 32 KiB: send fewer or shorter headers.",
        ));
    }
    (!METHODS.contains(request.method())).then(|| {
        let is_api = request.uri().path() == "/graphql";
        method_not_allowed(if is_api {
            "GET, HEAD, POST"
        } else {
            "GET, HEAD"
        })
    })
}

/// Rejects a request without exactly one valid `Host`, whose host a proxy could read differently (RFC 9112, section
/// 3.2), and one with an unknown transfer coding (RFC 9112, section 6.1).
fn check_framing(request: &Request) -> Option<Response> {
    let mut fields = request.headers().get_all(HOST).iter();
    let is_valid = match (fields.next(), fields.next()) {
        (Some(host), None) => host_of(host).is_some(),
        (None, _) => request.version() != Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    if !is_valid {
        return Some(reject(
            StatusCode::BAD_REQUEST,
            Code::BadUserInput,
            "A request must have one valid `Host` header.",
        ));
    }
    let mut codings = members(request.headers(), TRANSFER_ENCODING);
    codings.any(|coding| !coding.is("chunked")).then(|| {
        reject(
            StatusCode::NOT_IMPLEMENTED,
            Code::BadUserInput,
            "This transfer coding is not supported: send the body as it is.",
        )
    })
}

/// The host of a `Host` header: a name or an address, and optionally a port.
fn host_of(field: &HeaderValue) -> Option<Authority> {
    let authority = Authority::try_from(field.as_bytes()).ok()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_valid = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    (is_valid && !authority.host().is_empty()).then_some(authority)
}

/// Rejects a request for another host (RFC 9110, sections 7.2 and 15.5.20).
fn check_host(hosts: &Hosts, request: &Request, source: RequestSource) -> Option<Response> {
    // An absolute target takes precedence (RFC 9112, section 3.2.2). HTTP/2 has only that.
    let authority = match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => request.headers().get(HOST).and_then(host_of),
    };
    let is_allowed = authority.is_some_and(|host| hosts.allow(host.host(), source));
    (!is_allowed).then(|| {
        reject(
            StatusCode::MISDIRECTED_REQUEST,
            Code::BadUserInput,
            "This server does not serve this host: use its public URL. A proxy must pass on the `Host` header.",
        )
    })
}

/// Redirects a page that was requested without encryption. A request to the API has already revealed its token, so it
/// fails: a redirect would hide the mistake.
fn check_scheme(hosts: &Hosts, request: &Request, source: RequestSource) -> Option<Response> {
    let location = hosts
        .https_url(request.uri())
        .filter(|_| source.used_https == Some(false))?;
    let is_page = request.uri().path() != "/graphql"
        && [Method::GET, Method::HEAD].contains(request.method());
    Some(if is_page {
        (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response()
    } else {
        reject(
            StatusCode::FORBIDDEN,
            Code::Forbidden,
            "This server requires HTTPS: use its public URL. Change the token, which was sent without encryption.",
        )
    })
}

fn reject(status: StatusCode, code: Code, message: &str) -> Response {
    let response = GraphqlResponse::http_error(status, code, message);
    respond(&response, MediaType::Json)
}
