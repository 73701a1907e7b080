//! Decides which web pages may call the API: those of this server and those of the configured origins.

use std::time::Duration;

use axum::{
    Router,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER},
        request::Parts,
    },
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may cache the result of a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(1);

/// The origins that are allowed in addition to the server's own. They are compared exactly, without patterns.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    listed: Vec<HeaderValue>,
    /// Whether `*` is configured, which only development mode accepts.
    any: bool,
}

impl Origins {
    /// Parses the configured origins, for example `https://chat.example.org`.
    pub(super) fn new<'a>(origins: impl IntoIterator<Item = &'a String>) -> Self {
        let mut all = Self::default();
        for origin in origins {
            if origin == "*" {
                all.any = true;
            } else {
                let value = HeaderValue::from_str(origin.trim_end_matches('/'));
                all.listed.extend(value.ok());
            }
        }
        all
    }

    fn lists(&self, origin: &HeaderValue) -> bool {
        self.any || self.listed.contains(origin)
    }

    /// Whether a page of the request's origin may open a socket. A request without an origin is allowed: it is not from
    /// a browser, and because no cookies are used, a browser gains nothing by omitting the origin.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        match headers.get(ORIGIN) {
            None => true,
            Some(origin) => self.lists(origin) || is_own(origin, headers),
        }
    }
}

/// Whether the browser declares that a page of another site sent the request, and its origin is not configured.
pub(super) fn is_foreign(parts: &Parts, origins: &Origins) -> bool {
    let headers = &parts.headers;
    let site = headers.get("sec-fetch-site");
    let cross_site = site.is_some_and(|site| site == "cross-site");
    let listed = headers
        .get(ORIGIN)
        .is_some_and(|origin| origins.lists(origin));
    cross_site && !listed
}

/// Adds the CORS headers for the configured origins. Without any, no page of another origin can read a response.
pub(super) fn allow(routes: Router, origins: &Origins) -> Router {
    let allowed = match origins {
        Origins { any: true, .. } => AllowOrigin::any(),
        Origins { listed, .. } if listed.is_empty() => return routes,
        Origins { listed, .. } => AllowOrigin::list(listed.clone()),
    };
    let request_id = HeaderName::from_static("x-request-id");
    routes.layer(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                HeaderName::from_static("last-event-id"),
                request_id.clone(),
            ])
            .expose_headers([
                request_id,
                RETRY_AFTER,
                HeaderName::from_static("server-timing"),
            ])
            .max_age(PREFLIGHT_MAX_AGE),
    )
}

fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let Some(origin) = text(origin) else {
        return false;
    };
    let own = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    own.is_some() && own == headers.get(HOST).and_then(text).as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(origin: Option<&str>, configured: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("chat.example.org:8000"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let configured: Vec<String> = configured.iter().map(|text| (*text).to_owned()).collect();
        Origins::new(&configured).allow(&headers)
    }

    #[test]
    fn own_configured_and_absent_origins_may_open_sockets() {
        assert!(allows(None, &[]));
        assert!(allows(Some("http://chat.example.org:8000"), &[]));
        assert!(allows(Some("https://CHAT.example.org:8000"), &[]));
        assert!(allows(
            Some("https://app.example.org"),
            &["https://app.example.org/"]
        ));
    }

    #[test]
    fn a_star_allows_every_origin() {
        assert!(allows(Some("null"), &["*"]));
        let star = "*".to_owned();
        let _ = allow(Router::new(), &Origins::new([&star]));
    }

    #[test]
    fn similar_origins_may_not_open_sockets() {
        for origin in [
            "null",
            "https://chat.example.org",
            "https://chat.example.org:8001",
            "https://evil-chat.example.org:8000",
            "https://chat.example.org:8000.evil.net",
            "https://app.example.org.evil.net",
            "https://app.example.org:444",
            "http://app.example.org",
            "chat.example.org:8000",
            "",
        ] {
            assert!(
                !allows(Some(origin), &["https://app.example.org"]),
                "{origin}"
            );
        }
    }
}
