//! What is wrong with the settings, in words that say how to put it right.

use std::fmt;

use super::sources::Origin;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name as it was written.
    pub name: String,
    /// Where it was found.
    pub origin: Origin,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// All that is wrong, told at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The configuration cannot be used:")?;
        for Problem {
            name,
            origin,
            message,
        } in &self.0
        {
            write!(f, "\n  {name} ({origin}): {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// ` Did you mean …?`, when something known is close to what was written.
pub(super) fn suggestion(written: &str, known: impl Iterator<Item = String>) -> String {
    // Further away than this, a guess puzzles more than it helps.
    const CLOSE: f64 = 0.75;
    let score = |name: &String| strsim::jaro_winkler(&written.to_lowercase(), &name.to_lowercase());
    known
        .map(|name| (score(&name), name))
        .filter(|(score, _)| *score >= CLOSE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| format!(" Did you mean {name}?"))
        .unwrap_or_default()
}
