//! The addresses that commands print.

use std::net::SocketAddr;

use crate::config::Config;

/// The origin at which users reach the server that listens on this address.
pub(super) fn origin(config: &Config, address: SocketAddr) -> String {
    let public = config.public_url.clone();
    public.unwrap_or_else(|| format!("http://{address}"))
}

/// The page on which the first administrator registers. Browsers do not send the part after `#`, so that no log has the
/// token.
pub(super) fn setup(config: &Config, address: SocketAddr, token: &str) -> String {
    format!("{}/setup#{token}", origin(config, address))
}
