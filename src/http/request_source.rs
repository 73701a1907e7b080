//! Where a request came from: its client and the scheme that the client used, also behind trusted proxies.

use std::net::IpAddr;

use axum::{extract::Request, http::HeaderMap};
use ipnet::IpNet;

use super::connections::ConnectionInfo;

/// Where a request came from. Part of the extensions of every request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestSource {
    /// Address of the client. None if the HTTP server does not provide it.
    pub(super) client: Option<IpAddr>,
    /// Whether the client is on this machine, or a trusted proxy has forwarded its request.
    pub(super) is_near: bool,
    /// Whether the client used HTTPS, if the proxy declares it.
    pub(super) used_https: Option<bool>,
}

impl RequestSource {
    pub(super) fn of(request: &Request, proxies: &[IpNet]) -> Self {
        let Some(connection) = request.extensions().get::<ConnectionInfo>() else {
            return Self::default();
        };
        let peer = connection.peer.ip().to_canonical();
        if !is_proxy(proxies, peer) {
            return Self {
                client: Some(peer),
                is_near: peer.is_loopback(),
                used_https: None,
            };
        }
        Self {
            client: Some(forwarded_address(peer, request.headers(), proxies)),
            is_near: true,
            used_https: forwarded_https(request.headers()),
        }
    }

    /// Whether the response reaches the client through HTTPS.
    pub(super) fn is_https(self) -> bool {
        self.used_https == Some(true)
    }
}

/// Whether this address is one of a trusted proxy.
pub(super) fn is_proxy(proxies: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|network| network.contains(&address))
}

/// Returns the client's address. Each proxy appends the address that it received the request from, so the client is the
/// last address that is not a trusted proxy. A client can forge the addresses before it.
fn forwarded_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
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
            Ok(address) if is_proxy(proxies, nearest) => nearest = address.to_canonical(),
            _ => break,
        }
    }
    nearest
}

/// Returns whether the client used HTTPS. Of several proxies, the first one knows it.
fn forwarded_https(headers: &HeaderMap) -> Option<bool> {
    let schemes = headers.get("x-forwarded-proto")?.to_str().ok()?;
    let scheme = schemes.split(',').next()?.trim();
    Some(scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_determine_the_address() {
        let proxies = ["10.0.0.1/32", "10.0.1.0/24"].map(|text| text.parse().unwrap());
        let cases = [
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.1.2", "203.0.113.9"),
            ("10.0.0.2", "203.0.113.9", "10.0.0.2"),
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

    #[test]
    fn the_first_proxy_knows_the_scheme() {
        for (value, used_https) in [
            ("https", Some(true)),
            ("HTTPS, http", Some(true)),
            ("http", Some(false)),
            ("http, https", Some(false)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-proto", HeaderValue::from_static(value));
            assert_eq!(forwarded_https(&headers), used_https, "{value}");
        }
        assert_eq!(forwarded_https(&HeaderMap::new()), None);
    }
}
