//! `heddle token`: explains whether the server accepts an access token of another system.

use std::{
    io::{self, Read},
    sync::Arc,
};

use clap::Subcommand;

use super::{error::CliError, output};
use crate::{
    auth::{token::MAX_TOKEN_BYTES, trusted_issuers::TrustedIssuers},
    clock::Clock,
    config::Config,
    egress::Egress,
};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Read an access token of a trusted issuer from standard input, and print its user or why it is refused
    Check,
}

/// The trusted issuers of the configuration.
pub(super) fn trusted_issuers(config: &Config) -> TrustedIssuers {
    let egress = Arc::new(Egress::new(&config.egress_networks));
    TrustedIssuers::new(config, egress, &Clock::default())
}

pub(super) async fn run(config: &Config, command: &TokenCommand) -> Result<(), CliError> {
    let TokenCommand::Check = command;
    if config.trusted_issuers.is_empty() {
        return Err(CliError::because(
            "this server trusts no issuer; set trusted_issuers first",
        ));
    }
    let mut token = String::new();
    // A longer token is cut off, and so invalid.
    let limit = u64::try_from(MAX_TOKEN_BYTES).unwrap_or(u64::MAX);
    io::stdin().take(limit).read_to_string(&mut token)?;
    let token = token.trim();
    if token.is_empty() {
        return Err(CliError::because("there is no token on standard input"));
    }
    let verified = trusted_issuers(config).verify(token).await;
    let issued = verified.map_err(|problem| CliError::because(problem.to_string()))?;
    for (name, value) in [
        ("issuer", Some(&issued.issuer)),
        ("subject", Some(&issued.subject)),
        ("username", issued.username.as_ref()),
        ("display name", issued.display_name.as_ref()),
        ("email", issued.email.as_ref()),
    ] {
        output::line(format!("{name}: {}", value.map_or("none", String::as_str)));
    }
    output::line(format!("valid until: {}", issued.expires_at.to_rfc3339()));
    Ok(())
}
