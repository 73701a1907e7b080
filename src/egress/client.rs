//! The HTTP client, with its limits.

use std::{fmt, net::IpAddr, sync::OnceLock, time::Duration};

use ipnet::IpNet;
use reqwest::{Client, redirect};
use url::{Host, Url};

use super::addresses::AllowedAddresses;

/// The longest time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request failed, as the end of a sentence about its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressError(String);

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<reqwest::Error> for EgressError {
    /// Describes the error with its causes, of which the last is the most exact.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

/// Sends requests to other systems. Connects only to the addresses that it has checked, follows no redirect, uses no
/// proxy, and bounds the time and the size of a response.
#[derive(Debug)]
pub struct Egress {
    allowed: AllowedAddresses,
    /// Created by the first request, because it reads the certificate authorities of the operating system.
    client: OnceLock<Client>,
}

impl Egress {
    /// Creates a client that may connect to public addresses and to these networks.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        Self {
            allowed: AllowedAddresses::new(networks),
            client: OnceLock::new(),
        }
    }

    /// Returns the body of a resource. Fails if the status is not 200 or the body has more than `max_bytes`.
    pub async fn get(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, EgressError> {
        self.check_address(url)?;
        let request = self.client()?.get(url.clone()).timeout(TIMEOUT);
        let mut response = request.send().await?;
        if response.status() != 200 {
            let status = response.status();
            return Err(EgressError(format!("the response has the status {status}")));
        }
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > max_bytes {
                let reason = format!("the response is longer than {max_bytes} bytes");
                return Err(EgressError(reason));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// An address in the place of a name is not resolved, so it is checked here.
    fn check_address(&self, url: &Url) -> Result<(), EgressError> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(EgressError("the URL has no host".to_owned())),
        };
        if self.allowed.contains(address) {
            return Ok(());
        }
        Err(EgressError(format!("{address} is not an allowed address")))
    }

    fn client(&self) -> Result<&Client, EgressError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .dns_resolver(self.allowed.clone())
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent(concat!("heddle/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(self.client.get_or_init(|| client))
    }
}
