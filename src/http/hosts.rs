//! The hosts that this server serves.

use std::net::IpAddr;

use axum::http::{HeaderValue, Uri};
use url::Url;

use super::request_source::RequestSource;
use crate::config::{Config, Mode};

/// The names that the server may be reached by.
#[derive(Debug)]
pub(super) struct Hosts {
    public_url: Option<Url>,
    is_development: bool,
}

impl Hosts {
    pub(super) fn new(config: &Config) -> Self {
        let public_url = config.public_url.as_deref();
        Self {
            public_url: public_url.and_then(|url| Url::parse(url).ok()),
            is_development: config.mode == Mode::Development,
        }
    }

    /// Whether a client may use this host. A page of another site can reach the server under a name of its own, whose
    /// address it changes to that of the server; an IP address or `localhost` cannot be changed. The port is not
    /// compared, because proxies omit it.
    pub(super) fn allow(&self, host: &str, source: RequestSource) -> bool {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let is_public = self
            .public_url
            .as_ref()
            .and_then(Url::host_str)
            .is_some_and(|public| {
                let public = public.trim_start_matches('[').trim_end_matches(']');
                public.eq_ignore_ascii_case(name)
            });
        let is_local = name.parse::<IpAddr>().is_ok() || is_localhost(name);
        is_public || is_local && (self.is_development || source.is_near)
    }

    /// The URL to use instead of an unencrypted one.
    pub(super) fn https_url(&self, target: &Uri) -> Option<HeaderValue> {
        let public_url = self.public_url.as_ref()?;
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        let origin = public_url.origin().ascii_serialization();
        let is_https = public_url.scheme() == "https";
        let location = HeaderValue::try_from(format!("{origin}{path}"));
        location.ok().filter(|_| is_https)
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(is_near: bool) -> RequestSource {
        RequestSource {
            is_near,
            ..RequestSource::default()
        }
    }

    #[test]
    fn production_serves_its_public_name() {
        let hosts = Hosts::new(&Config {
            mode: Mode::Production,
            public_url: Some("https://chat.example.org".to_owned()),
            ..Config::default()
        });
        for is_near in [true, false] {
            assert!(hosts.allow("chat.example.org", near(is_near)));
            assert!(hosts.allow("CHAT.example.org", near(is_near)));
            for other in [
                "example.org",
                "chat.example.org.evil.net",
                "evil.localhost.net",
                "",
            ] {
                assert!(!hosts.allow(other, near(is_near)), "{other}");
            }
            for local in ["127.0.0.1", "[::1]", "192.0.2.7", "localhost"] {
                assert_eq!(hosts.allow(local, near(is_near)), is_near, "{local}");
            }
        }
    }

    #[test]
    fn development_serves_every_address_but_no_other_name() {
        let hosts = Hosts::new(&Config::default());
        for host in [
            "127.0.0.1",
            "[::1]",
            "192.0.2.7",
            "localhost",
            "app.localhost",
        ] {
            assert!(hosts.allow(host, near(false)), "{host}");
        }
        assert!(!hosts.allow("rebound.example.net", near(true)));
    }
}
