//! How much the selected operation asks for, with each fragment measured once however often it is spread.

use std::collections::HashMap;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Name, Variables};
use async_graphql_value::Value;

use super::document::{Document, Selected};
use super::error::{GuardError, Stage};
use super::limits::Limits;
use super::variables::VariableTypes;

/// The figures of a selection set or of a whole operation. All saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostMeter {
    /// Fields, once fragments are spread.
    pub fields: u64,
    /// Fields within each other.
    pub depth: u64,
    /// Selection sets within each other, fragments among them.
    pub nesting: u64,
    /// Aliases as written: those of a fragment count once.
    pub aliases: u64,
    /// Fields times the lists around them.
    pub cost: u64,
    /// Selections looked at, which grows with the text and with nothing else.
    pub steps: u64,
}

impl CostMeter {
    /// Refuses what goes over a limit, naming it.
    pub fn check(&self, limits: &Limits) -> Result<(), GuardError> {
        let figures = [
            ("aliases", limits.aliases, self.aliases),
            ("fields", limits.fields, self.fields),
            ("depth", limits.depth, self.depth),
            ("nesting", limits.nesting, self.nesting),
            ("cost", limits.cost, self.cost),
        ];
        match figures
            .into_iter()
            .find(|(_, maximum, found)| found > maximum)
        {
            None => Ok(()),
            Some((limit, maximum, found)) => {
                Err(GuardError::excess(Stage::Checking, limit, maximum, found))
            }
        }
    }

    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            aliases: self.aliases.saturating_add(other.aliases),
            cost: self.cost.saturating_add(other.cost),
            steps: self.steps.saturating_add(other.steps),
        }
    }

    fn below_a_field(self, alias: bool, items: u64) -> Self {
        Self {
            fields: self.fields.saturating_add(1),
            depth: self.depth.saturating_add(1),
            nesting: self.nesting.saturating_add(1),
            aliases: self.aliases.saturating_add(u64::from(alias)),
            cost: self.cost.saturating_mul(items).saturating_add(1),
            steps: self.steps.saturating_add(1),
        }
    }

    fn below_a_fragment(self) -> Self {
        Self {
            nesting: self.nesting.saturating_add(1),
            steps: self.steps.saturating_add(1),
            ..self
        }
    }

    /// What spreading an already measured fragment adds: it was written, and looked at, elsewhere.
    fn spread(self) -> Self {
        Self {
            aliases: 0,
            steps: 0,
            ..self
        }
        .below_a_fragment()
    }
}

/// Measures the selected operation with these variables.
#[must_use]
pub fn measure(
    document: &Document,
    selected: &Selected<'_>,
    variables: &Variables,
    inputs: &VariableTypes,
) -> CostMeter {
    let mut scale = Scale {
        variables,
        inputs,
        fragments: HashMap::new(),
    };
    let mut written = CostMeter::default();
    for name in &selected.fragments {
        if let Some(fragment) = document.parsed.fragments.get(*name) {
            let measured = scale.of(&fragment.node.selection_set.node);
            written.aliases = written.aliases.saturating_add(measured.aliases);
            written.steps = written.steps.saturating_add(measured.steps);
            scale.fragments.insert(name, measured);
        }
    }
    scale
        .of(&selected.operation.node.selection_set.node)
        .beside(written)
}

struct Scale<'a> {
    variables: &'a Variables,
    inputs: &'a VariableTypes,
    /// Leaves come first, so a spread always finds its fragment here, unless there is none.
    fragments: HashMap<&'a str, CostMeter>,
}

impl Scale<'_> {
    /// Recurses on selection sets as they are written, which the lexer bounds; never through a spread.
    fn of(&self, set: &SelectionSet) -> CostMeter {
        set.items
            .iter()
            .map(|selection| match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.of(&field.selection_set.node)
                        .below_a_field(field.alias.is_some(), self.items(field))
                }
                Selection::InlineFragment(inline) => {
                    self.of(&inline.node.selection_set.node).below_a_fragment()
                }
                Selection::FragmentSpread(spread) => self
                    .fragments
                    .get(spread.node.fragment_name.node.as_str())
                    .copied()
                    .unwrap_or_default()
                    .spread(),
            })
            .fold(CostMeter::default(), CostMeter::beside)
    }

    /// How many items the field may answer with: what `first` and `last` ask for, or the page that it gives unasked,
    /// or one for each of its `ids`.
    fn items(&self, field: &Field) -> u64 {
        let mut asked = None;
        for name in ["first", "last", "ids"] {
            if let Some(value) = field.get_argument(name)
                && let Some(number) = self.size(&value.node)
            {
                asked = Some(number.saturating_add(asked.unwrap_or(0)));
            }
        }
        asked
            .or_else(|| self.inputs.page_size(field.name.node.as_str()))
            .unwrap_or(1)
            .max(1)
    }

    /// A number's value or a list's length. Negative numbers cost nothing here: the resolver refuses them.
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
