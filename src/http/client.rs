//! Who sends a request, and from where.

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

/// Longest access token that is looked at, in bytes.
const TOKEN_LENGTH: usize = 4096;
/// How much of a client's description of itself is kept, in characters.
const USER_AGENT_LENGTH: usize = 256;

impl AppState {
    /// The person behind an access token. A token that is not good, any more or at all, is nobody's.
    pub(super) async fn authenticate(&self, token: Option<&str>) -> Result<Option<Viewer>, Error> {
        let Some(token) = token.filter(|token| token.len() <= TOKEN_LENGTH) else {
            return Ok(None);
        };
        match with_timeout(sessions::authenticate(&self.app, token)).await {
            Ok(viewer) => Ok(Some(viewer)),
            Err(error) if error.code() == Code::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Ends when the session does; never when there is none.
pub(super) async fn over(session: &mut Option<SessionWatch>) {
    match session {
        Some(watch) => {
            watch.ended().await;
        }
        None => std::future::pending().await,
    }
}

/// What a request tells of its sender, but for who it is. The `proxies` are those whose word is believed.
pub(super) fn of(parts: &Parts, proxies: &[IpAddr]) -> Caller {
    let request_id = parts.extensions.get::<RequestId>();
    let user_agent = parts
        .headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Caller {
        client_addr: address(parts, proxies),
        user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_LENGTH).collect()),
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
    Some(behind(peer, &parts.headers, proxies))
}

/// Each proxy adds whom it heard at the end: the last that is no proxy of ours is the client. Everything before is
/// hearsay that anybody can write.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let told: Vec<_> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|text| text.trim().parse::<IpAddr>())
        .collect();
    let mut nearest = peer;
    for address in told.into_iter().rev() {
        match address {
            Ok(address) if proxies.contains(&nearest) => nearest = address.to_canonical(),
            _ => break,
        }
    }
    nearest
}

/// The token of an `Authorization: Bearer …` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(bearer_in)
}

/// The token of a `Bearer …` text.
pub(super) fn bearer_in(text: &str) -> Option<&str> {
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let cases = [
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ];
        for (peer, told, client) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(told));
            let found = behind(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{told}");
        }
    }
}
