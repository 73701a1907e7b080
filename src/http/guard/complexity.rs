//! The measurements of an operation, and the check against the limits.

use super::error::{GuardError, Stage};
use super::limits::Limits;

/// The measurements of a selection set or of an operation. Arithmetic on them saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Complexity {
    /// Fields after fragments are spread.
    pub fields: u64,
    /// Nested fields.
    pub depth: u64,
    /// Nested selection sets, including those of fragments.
    pub nesting: u64,
    /// Aliases in the text: those of a fragment count once.
    pub aliases: u64,
    /// Fields in the response: each counts with its weight for every item of the lists around it.
    pub cost: u64,
    /// Selections that were visited, which is linear in the length of the text.
    pub steps: u64,
}

impl Complexity {
    /// Fails with the first limit that is exceeded.
    pub fn check(&self, limits: &Limits) -> Result<(), GuardError> {
        let measurements = [
            ("aliases", limits.aliases, self.aliases),
            ("fields", limits.fields, self.fields),
            ("depth", limits.depth, self.depth),
            ("nesting", limits.nesting, self.nesting),
            ("cost", limits.cost, self.cost),
        ];
        match measurements
            .into_iter()
            .find(|(_, maximum, found)| found > maximum)
        {
            None => Ok(()),
            Some((limit, maximum, found)) => Err(GuardError::limit_exceeded(
                Stage::Validation,
                limit,
                maximum,
                found,
            )),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            aliases: self.aliases.saturating_add(other.aliases),
            cost: self.cost.saturating_add(other.cost),
            steps: self.steps.saturating_add(other.steps),
        }
    }

    pub(super) fn in_field(self, alias: bool, items: u64, weight: u64) -> Self {
        Self {
            fields: self.fields.saturating_add(1),
            depth: self.depth.saturating_add(1),
            nesting: self.nesting.saturating_add(1),
            aliases: self.aliases.saturating_add(u64::from(alias)),
            cost: self.cost.saturating_mul(items).saturating_add(weight),
            steps: self.steps.saturating_add(1),
        }
    }

    pub(super) fn in_fragment(self) -> Self {
        Self {
            nesting: self.nesting.saturating_add(1),
            steps: self.steps.saturating_add(1),
            ..self
        }
    }

    /// The cost of spreading a fragment. Its aliases and steps are counted once, where the fragment is defined.
    pub(super) fn spread(self) -> Self {
        Self {
            aliases: 0,
            steps: 0,
            ..self
        }
        .in_fragment()
    }
}
