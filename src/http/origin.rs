//! Which web pages may call: those of this server, and those of origins that are configured.

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

/// How long a browser may remember what it was allowed.
const PREFLIGHT: Duration = Duration::from_hours(1);

/// The origins that are allowed beside the server's own, compared letter by letter: no patterns, no suffixes.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    listed: Vec<HeaderValue>,
    /// `*` was listed, which only development mode takes.
    any: bool,
}

impl Origins {
    /// As configured, for example `https://chat.example.org`.
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

    /// Whether a page of this origin may open a socket. Programs that are no browsers send none; no cookie is ever
    /// looked at, so they gain nothing by that.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        match headers.get(ORIGIN) {
            None => true,
            Some(origin) => self.lists(origin) || is_own(origin, headers),
        }
    }
}

/// Whether a page of another site sent this, as the browser tells.
pub(super) fn is_foreign(parts: &Parts, origins: &Origins) -> bool {
    let headers = &parts.headers;
    let site = headers.get("sec-fetch-site");
    let cross_site = site.is_some_and(|site| site == "cross-site");
    let listed = headers
        .get(ORIGIN)
        .is_some_and(|origin| origins.lists(origin));
    cross_site && !listed
}

/// Answers preflights of configured origins; without any, no page of another origin reads an answer.
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
            .max_age(PREFLIGHT),
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
    fn a_star_allows_all_and_builds_a_layer() {
        assert!(allows(Some("null"), &["*"]));
        let star = "*".to_owned();
        let _ = allow(Router::new(), &Origins::new([&star]));
    }

    #[test]
    fn similar_origins_may_not() {
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
