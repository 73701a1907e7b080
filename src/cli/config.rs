//! `heddle config`: prints the settings and their origins.

use clap::Subcommand;

use super::output;
use crate::config::{self, Loaded};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print all settings with their values and origins; secrets are redacted
    Print,
    /// Print .env.example: all settings with their defaults
    Example,
}

pub(super) fn example() {
    output::text(&config::example());
}

pub(super) fn print(loaded: &Loaded) {
    let rows: Vec<(&str, String, String)> = loaded
        .origins
        .iter()
        .map(|(setting, origin)| {
            (
                setting.key,
                setting.redacted(&loaded.config),
                origin.clone(),
            )
        })
        .collect();
    let width =
        |text: fn(&(&str, String, String)) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let key_width = width(|row| row.0.chars().count());
    let value_width = width(|row| row.1.chars().count()).min(48);
    for (key, value, origin) in &rows {
        output::line(format!("{key:key_width$}  {value:value_width$}  {origin}"));
    }
}
