//! Logs: words on a terminal, JSON elsewhere, always on standard error. What is logged is decided where
//! it happens; never bodies, tokens or addresses.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Libraries that tell each statement at `info`.
const QUIET: &str = "sqlx=warn,sea_orm_migration=warn";

/// Starts logging for this process; the second call has no effect.
pub fn start(config: &Config) {
    let filter = EnvFilter::new(format!("{QUIET},{}", config.log_level));
    let is_json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = if is_json {
        logs.json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init()
    } else {
        logs.with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}
