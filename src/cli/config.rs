//! `heddle config`: what is set, and by whom.

use clap::Subcommand;

use super::output;
use crate::config::{self, Loaded};

/// What to print.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every setting with its value and where it comes from; secrets are hidden
    Print,
    /// The text of .env.example: every setting with its default
    Example,
}

impl Args {
    pub(super) const fn needs_settings(&self) -> bool {
        matches!(self.what, What::Print)
    }
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
