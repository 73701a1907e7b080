//! Reads docs/performance/gaps.md: why a goal is not reached, and what to try next.

use std::fs;

const PAGE: &str = "docs/performance/gaps.md";

/// The rows of the page's table: how the name of a goal begins, the reason, and the next step.
pub(crate) struct Gaps(Vec<[String; 3]>);

impl Gaps {
    pub(crate) fn read() -> Self {
        let page = fs::read_to_string(PAGE).unwrap();
        let rows = page.lines().filter_map(|line| {
            let cells = line.strip_prefix("| `")?.strip_suffix(" |")?;
            let (prefix, rest) = cells.split_once("` | ")?;
            let (reason, next) = rest.split_once(" | ")?;
            Some([prefix, reason, next].map(str::to_owned))
        });
        Self(rows.collect())
    }

    /// The explanation for a goal with this name: that of the first row whose prefix matches.
    pub(crate) fn of(&self, goal: &str) -> String {
        let row = self.0.iter().find(|[prefix, ..]| goal.starts_with(prefix));
        match row {
            Some([_, reason, next]) => format!("{reason} Next: {next}"),
            None => "Not investigated yet.".to_owned(),
        }
    }
}
