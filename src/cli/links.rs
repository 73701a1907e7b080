//! The addresses that commands print.

use std::net::SocketAddr;

use crate::config::Config;

/// The page on which the first administrator registers. Browsers do not send the part after `#`, so that no log has the
/// token.
pub(super) fn setup(config: &Config, address: SocketAddr, token: &str) -> String {
    format!("{}/setup#{token}", config.origin(address))
}

/// The page on which an invited person registers.
pub(super) fn invitation(config: &Config, token: &str) -> String {
    format!("{}/invite#{token}", config.origin(config.listen))
}
