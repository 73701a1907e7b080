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
    pub(super) fn new(name: &str, origin: &str, message: &str) -> Self {
        let [name, origin, message] = [name, origin, message].map(str::to_owned);
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
        let mut problems = self.0.iter();
        problems.try_for_each(|it| write!(f, "\n  {} ({}): {}", it.name, it.origin, it.message))
    }
}

impl std::error::Error for SettingProblems {}
