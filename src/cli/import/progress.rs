//! Shows how far the import is.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar, which is visible only on a terminal.
pub(super) fn bar(length: u64, verb: &'static str, figures: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {figures} {{eta}}"));
    let bar = ProgressBar::new(length).with_message(verb);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
