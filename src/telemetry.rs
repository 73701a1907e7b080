//! Sets up logging to standard error: text on a terminal, JSON otherwise. Each module decides which events it logs.
//! Message bodies, tokens and addresses are never logged.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Levels for libraries that log each statement at `info`.
const LIBRARY_LEVELS: &str = "sqlx=warn,sea_orm_migration=warn";

/// Starts logging for this process. A second call has no effect.
pub fn start(config: &Config) {
    let filter = EnvFilter::new(format!("{LIBRARY_LEVELS},{}", config.log_level));
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
        tracing::debug!(%error, "logging has already started");
    }
}
