//! Measures the selected operation. Each fragment is measured once, regardless of how often it is spread.

use std::collections::HashMap;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Name, Variables};
use async_graphql_value::Value;

use super::document::{Document, Selected};
use super::error::{GuardError, Stage};
use super::limits::Limits;
use super::variables::VariableTypes;

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
    /// Fields in the response: each counts once for every item of the lists around it.
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

    fn plus(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            aliases: self.aliases.saturating_add(other.aliases),
            cost: self.cost.saturating_add(other.cost),
            steps: self.steps.saturating_add(other.steps),
        }
    }

    fn in_field(self, alias: bool, items: u64) -> Self {
        Self {
            fields: self.fields.saturating_add(1),
            depth: self.depth.saturating_add(1),
            nesting: self.nesting.saturating_add(1),
            aliases: self.aliases.saturating_add(u64::from(alias)),
            cost: self.cost.saturating_mul(items).saturating_add(1),
            steps: self.steps.saturating_add(1),
        }
    }

    fn in_fragment(self) -> Self {
        Self {
            nesting: self.nesting.saturating_add(1),
            steps: self.steps.saturating_add(1),
            ..self
        }
    }

    /// The cost of spreading a fragment. Its aliases and steps are counted once, where the fragment is defined.
    fn spread(self) -> Self {
        Self {
            aliases: 0,
            steps: 0,
            ..self
        }
        .in_fragment()
    }
}

/// Measures the selected operation with these variables.
#[must_use]
pub fn measure(
    document: &Document,
    selected: &Selected<'_>,
    variables: &Variables,
    types: &VariableTypes,
) -> Complexity {
    let mut measurer = Measurer {
        variables,
        types,
        fragments: HashMap::new(),
    };
    let mut definitions = Complexity::default();
    for name in &selected.fragments {
        if let Some(fragment) = document.parsed.fragments.get(*name) {
            let fragment_cost = measurer.selection_set(&fragment.node.selection_set.node);
            definitions.aliases = definitions.aliases.saturating_add(fragment_cost.aliases);
            definitions.steps = definitions.steps.saturating_add(fragment_cost.steps);
            measurer.fragments.insert(name, fragment_cost);
        }
    }
    measurer
        .selection_set(&selected.operation.node.selection_set.node)
        .plus(definitions)
}

struct Measurer<'a> {
    variables: &'a Variables,
    types: &'a VariableTypes,
    /// The fragments measured so far. Topological order guarantees that a spread finds its fragment, if that exists.
    fragments: HashMap<&'a str, Complexity>,
}

impl Measurer<'_> {
    /// Recurses on nested selection sets, whose depth the lexer limits, and never through a spread.
    fn selection_set(&self, set: &SelectionSet) -> Complexity {
        set.items
            .iter()
            .map(|selection| match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.selection_set(&field.selection_set.node)
                        .in_field(field.alias.is_some(), self.items(field))
                }
                Selection::InlineFragment(inline) => self
                    .selection_set(&inline.node.selection_set.node)
                    .in_fragment(),
                Selection::FragmentSpread(spread) => self
                    .fragments
                    .get(spread.node.fragment_name.node.as_str())
                    .copied()
                    .unwrap_or_default()
                    .spread(),
            })
            .fold(Complexity::default(), Complexity::plus)
    }

    /// The maximum number of items that the field returns: the arguments `first` and `last`, one for each of its `ids`,
    /// or the default page size of the field.
    fn items(&self, field: &Field) -> u64 {
        let mut requested: Option<u64> = None;
        for name in ["first", "last", "ids"] {
            if let Some(value) = field.get_argument(name)
                && let Some(number) = self.size(&value.node)
            {
                requested = Some(number.saturating_add(requested.unwrap_or(0)));
            }
        }
        requested
            .or_else(|| self.types.page_size(field.name.node.as_str()))
            .unwrap_or(1)
            .max(1)
    }

    /// Returns the value of a number or the length of a list. Negative numbers do not count: the resolver rejects them.
    fn size(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) => number.as_u64(),
            Value::List(list) => u64::try_from(list.len()).ok(),
            Value::Variable(name) => match self.variables.get(&Name::new(name))? {
                async_graphql::Value::Number(number) => number.as_u64(),
                async_graphql::Value::List(list) => u64::try_from(list.len()).ok(),
                _ => None,
            },
            _ => None,
        }
    }
}
