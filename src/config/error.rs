//! Problems with settings, and how they are reported.

use std::fmt;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The name as its source spells it, for example `HEDDLE_LISTEN` or `--listen`.
    pub name: String,
    /// The source of the value.
    pub origin: String,
    /// The problem, and what a correct value looks like.
    pub message: String,
}

impl SettingProblem {
    pub(super) fn new(name: String, origin: String, message: String) -> Self {
        Self {
            name,
            origin,
            message,
        }
    }
}

/// All problems of the configuration, reported together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingProblems(pub Vec<SettingProblem>);

impl fmt::Display for SettingProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The configuration cannot be used:")?;
        for SettingProblem {
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

impl std::error::Error for SettingProblems {}
