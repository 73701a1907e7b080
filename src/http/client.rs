//! Identifies the client of a request: its access token, address and user agent.

use std::net::IpAddr;

use axum::http::{HeaderMap, header::AUTHORIZATION, header::USER_AGENT, request::Parts};

use super::{connection_limit::ConnectionInfo, headers::RequestId, state::AppState};
use crate::{
    db::with_timeout,
    domain::sessions::{self, Viewer},
    error::{Code, Error},
    graphql::context::Caller,
    live::hub::SessionWatch,
};

/// Maximum length of an access token, in bytes. A longer one is invalid.
const MAX_TOKEN_LENGTH: usize = 4096;
/// Maximum length of a stored user agent, in characters. The rest is cut off.
const MAX_USER_AGENT_LENGTH: usize = 256;

impl AppState {
    /// Returns the user of an access token. `None` if the token is missing, invalid or expired.
    pub(super) async fn authenticate(&self, token: Option<&str>) -> Result<Option<Viewer>, Error> {
        let Some(token) = token.filter(|token| token.len() <= MAX_TOKEN_LENGTH) else {
            return Ok(None);
        };
        match with_timeout(sessions::authenticate(&self.app, token)).await {
            Ok(viewer) => Ok(Some(viewer)),
            Err(error) if error.code() == Code::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Completes when the session ends; never if there is no session.
pub(super) async fn session_ended(session: &mut Option<SessionWatch>) {
    match session {
        Some(watch) => {
            watch.ended().await;
        }
        None => std::future::pending().await,
    }
}

/// Returns the caller of a request without its viewer. `proxies` are the proxies whose `X-Forwarded-For` is trusted.
pub(super) fn anonymous_caller(parts: &Parts, proxies: &[IpAddr]) -> Caller {
    let request_id = parts.extensions.get::<RequestId>();
    let user_agent = parts
        .headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Caller {
        client_addr: address(parts, proxies),
        user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT_LENGTH).collect()),
        request_id: request_id.map(|id| id.0.clone()).unwrap_or_default(),
        ..Caller::default()
    }
}

fn address(parts: &Parts, proxies: &[IpAddr]) -> Option<IpAddr> {
    let peer = parts
        .extensions
        .get::<ConnectionInfo>()?
        .address
        .ip()
        .to_canonical();
    Some(forwarded_address(peer, &parts.headers, proxies))
}

/// Returns the client's address. Each proxy appends the address that it received the request from, so the client is the
/// last address that is not a trusted proxy. A client can forge the addresses before it.
fn forwarded_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let forwarded: Vec<_> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|text| text.trim().parse::<IpAddr>())
        .collect();
    let mut nearest = peer;
    for address in forwarded.into_iter().rev() {
        match address {
            Ok(address) if proxies.contains(&nearest) => nearest = address.to_canonical(),
            _ => break,
        }
    }
    nearest
}

/// Returns the token of an `Authorization: Bearer …` header.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(parse_bearer)
}

/// Returns the token of a `Bearer …` text.
pub(super) fn parse_bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_determine_the_address() {
        let proxies = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let cases = [
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ];
        for (peer, forwarded, client) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
            let found = forwarded_address(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{forwarded}");
        }
    }
}
