//! Measures the selected operation. Each fragment is measured once, regardless of how often it is spread.

use std::collections::{BTreeMap, HashMap};

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::Value,
    executable::{Field, Operation, Selection, SelectionSet},
};
use async_graphql::Variables;

use super::complexity::Complexity;
use super::document::{Document, Selected};
use super::schema::CompiledSchema;
use super::weights::weight;
use crate::graphql::pagination::PAGE_OF_BOTH;

/// Measures the selected operation with these variables.
#[must_use]
pub fn measure(
    schema: &CompiledSchema,
    document: &Document,
    selected: &Selected<'_>,
    variables: &Variables,
) -> Complexity {
    if selected.facts.sized_by_variables {
        let mut measurer = Measurer::new(Some(schema), &document.valid, variables);
        measurer.operation(selected.operation)
    } else {
        selected.facts.complexity
    }
}

/// Measures an operation without its variables. Returns whether its cost depends on them. Without a schema, all fragments
/// count together.
pub(super) fn measure_operation(
    schema: Option<&CompiledSchema>,
    document: &ExecutableDocument,
    operation: &Operation,
) -> (Complexity, bool) {
    let variables = Variables::default();
    let mut measurer = Measurer::new(schema, document, &variables);
    let complexity = measurer.operation(operation);
    (complexity, measurer.needs_variables)
}

struct Measurer<'a> {
    schema: Option<&'a CompiledSchema>,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// The fragments measured so far.
    fragments: HashMap<&'a str, Complexity>,
    /// The aliases and steps of these fragments, which count once.
    definitions: Complexity,
    /// Whether a page size is a variable.
    needs_variables: bool,
}

impl<'a> Measurer<'a> {
    fn new(
        schema: Option<&'a CompiledSchema>,
        document: &'a ExecutableDocument,
        variables: &'a Variables,
    ) -> Self {
        Self {
            schema,
            document,
            variables,
            fragments: HashMap::new(),
            definitions: Complexity::default(),
            needs_variables: false,
        }
    }

    fn operation(&mut self, operation: &'a Operation) -> Complexity {
        let cost = self.selection_set(&operation.selection_set);
        cost.plus(self.definitions)
    }

    /// Recurses on nested selection sets, whose depth the lexer limits, and once through each fragment.
    fn selection_set(&mut self, set: &'a SelectionSet) -> Complexity {
        let mut total = Complexity::default();
        // An object has one type, so the fragments on the most expensive type are the most that it can cost.
        let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
        for selection in &set.selections {
            let mut part = match selection {
                Selection::Field(field) => self.selection_set(&field.selection_set).in_field(
                    field.alias.is_some(),
                    self.items(field),
                    weight(&set.ty, &field.name),
                ),
                Selection::InlineFragment(inline) => {
                    self.selection_set(&inline.selection_set).in_fragment()
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name).spread(),
            };
            let condition = self.type_condition(selection);
            if let Some(object) = condition.filter(|name| **name != set.ty && self.is_object(name))
            {
                let cost = by_type.entry(object).or_default();
                *cost = cost.saturating_add(std::mem::take(&mut part.cost));
            }
            total = total.plus(part);
        }
        let largest = by_type.into_values().max().unwrap_or(0);
        total.cost = total.cost.saturating_add(largest);
        total
    }

    /// The type to which a fragment is restricted.
    fn type_condition(&self, selection: &'a Selection) -> Option<&'a Name> {
        match selection {
            Selection::Field(_) => None,
            Selection::InlineFragment(inline) => inline.type_condition.as_ref(),
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.fragment_name)?;
                Some(fragment.type_condition())
            }
        }
    }

    fn is_object(&self, name: &Name) -> bool {
        let types = self.schema.map(|schema| schema.possible_types(name));
        types.is_some_and(|types| types == std::slice::from_ref(name))
    }

    fn fragment(&mut self, name: &'a Name) -> Complexity {
        if let Some(known) = self.fragments.get(name.as_str()) {
            return *known;
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Complexity::default();
        };
        // A fragment of an invalid document may spread itself.
        self.fragments.insert(name, Complexity::default());
        let cost = self.selection_set(&fragment.selection_set);
        self.fragments.insert(name, cost);
        let Complexity { aliases, steps, .. } = cost;
        self.definitions.aliases = self.definitions.aliases.saturating_add(aliases);
        self.definitions.steps = self.definitions.steps.saturating_add(steps);
        cost
    }

    /// The maximum number of items that the field returns: the arguments `first` and `last`, one for each of its `ids`,
    /// or the default page size of the field.
    fn items(&mut self, field: &Field) -> u64 {
        let mut requested: Option<u64> = None;
        for name in ["first", "last", "ids"] {
            if let Some(value) = field.specified_argument_by_name(name)
                && let Some(number) = self.size(value)
            {
                requested = Some(number.saturating_add(requested.unwrap_or(0)));
            }
        }
        requested
            .or_else(|| default_page_size(field))
            .unwrap_or(1)
            .max(1)
    }

    /// Returns the value of a number or the length of a list. Negative numbers do not count: the resolver rejects them.
    fn size(&mut self, value: &Value) -> Option<u64> {
        match value {
            Value::Int(number) => number.as_str().parse().ok(),
            Value::List(list) => u64::try_from(list.len()).ok(),
            Value::Variable(name) => {
                self.needs_variables = true;
                match self.variables.get(name.as_str())? {
                    async_graphql::Value::Number(number) => number.as_u64(),
                    async_graphql::Value::List(list) => u64::try_from(list.len()).ok(),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The number of items that the field returns if the document does not request a number.
fn default_page_size(field: &Field) -> Option<u64> {
    let sizes = ["first", "last"].iter().filter_map(|name| {
        let argument = field.definition.argument_by_name(name)?;
        match argument.default_value.as_deref() {
            None => u64::try_from(PAGE_OF_BOTH).ok(),
            Some(Value::Int(size)) => size.as_str().parse().ok(),
            Some(_) => None,
        }
    });
    sizes.max()
}
