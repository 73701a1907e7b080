//! A parsed document with its fragments in topological order, so that later passes visit each fragment once.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::parser::{self, parse_query};
use async_graphql::{Name, Positioned};

use super::error::{GuardError, Stage};
use super::lexer::lex;
use super::limits::Limits;

/// A valid document within the limits.
#[derive(Debug)]
pub struct Document {
    pub(super) parsed: ExecutableDocument,
    /// All fragments, each after the fragments that it spreads.
    order: Vec<Name>,
    /// The fragments that each fragment spreads directly.
    spreads: HashMap<Name, Vec<Name>>,
}

/// The operation to run, with the fragments that it reaches in topological order.
#[derive(Clone, Debug)]
pub struct Selected<'a> {
    /// The name of the operation; `None` if it is anonymous.
    pub name: Option<&'a Name>,
    /// The definition of the operation.
    pub operation: &'a Positioned<OperationDefinition>,
    pub(super) fragments: Vec<&'a Name>,
}

impl Document {
    /// Parses `text` and checks its size. The lexer runs first and limits the nesting of brackets, on which the parser
    /// recurses.
    pub fn read(text: &str, limits: &Limits) -> Result<Self, GuardError> {
        lex(text, limits)?;
        let parsed = parse_query(text).map_err(|error| without_source(&error))?;
        at_most(
            limits.operations,
            parsed.operations.iter().len(),
            "operations",
        )?;
        at_most(limits.fragments, parsed.fragments.len(), "fragments")?;
        let spreads: HashMap<Name, Vec<Name>> = parsed
            .fragments
            .iter()
            .map(|(name, fragment)| (name.clone(), spread_in(&fragment.node.selection_set.node)))
            .collect();
        let order = topological_order(&spreads)?;
        let document = Self {
            parsed,
            order,
            spreads,
        };
        document.check_unused_fragments()?;
        Ok(document)
    }

    /// Selects the operation called `name`, or the only one.
    pub fn select(&self, name: Option<&str>) -> Result<Selected<'_>, GuardError> {
        let (name, operation) = match (name, &self.parsed.operations) {
            (None, DocumentOperations::Single(only)) => (None, only),
            (Some(_), DocumentOperations::Single(_)) => {
                return Err(GuardError::invalid(
                    "The document's only operation is anonymous: leave out `operationName`.",
                    None,
                ));
            }
            (Some(requested), DocumentOperations::Multiple(all)) => all
                .iter()
                .find(|(name, _)| name.as_str() == requested)
                .map(|(name, operation)| (Some(name), operation))
                .ok_or_else(|| {
                    GuardError::invalid(
                        "The document has no operation with this name: check `operationName`.",
                        None,
                    )
                })?,
            (None, DocumentOperations::Multiple(all)) => match all.iter().next() {
                Some((name, operation)) if all.len() == 1 => (Some(name), operation),
                _ => {
                    return Err(GuardError::invalid(
                        "The document has several operations: select one with `operationName`.",
                        None,
                    ));
                }
            },
        };
        Ok(Selected {
            name,
            operation,
            fragments: self.fragments_for(&operation.node.selection_set.node),
        })
    }

    /// Returns the fragments that `set` reaches, in topological order.
    pub(super) fn fragments_for(&self, set: &SelectionSet) -> Vec<&Name> {
        let reached = self.reached_from(set);
        self.order
            .iter()
            .filter(|name| reached.contains(name))
            .collect()
    }

    fn reached_from(&self, set: &SelectionSet) -> HashSet<&Name> {
        let mut reached = HashSet::new();
        let mut pending: Vec<Name> = spread_in(set);
        while let Some(name) = pending.pop() {
            if let Some((name, next)) = self.spreads.get_key_value(&name)
                && reached.insert(name)
            {
                pending.extend(next.iter().cloned());
            }
        }
        reached
    }

    fn check_unused_fragments(&self) -> Result<(), GuardError> {
        let mut used: HashSet<&Name> = HashSet::new();
        for (_, operation) in self.parsed.operations.iter() {
            used.extend(self.reached_from(&operation.node.selection_set.node));
        }
        match self
            .parsed
            .fragments
            .iter()
            .filter(|(name, _)| !used.contains(name))
            .map(|(_, fragment)| fragment.pos)
            .min()
        {
            None => Ok(()),
            Some(pos) => Err(GuardError::invalid(
                "The document has a fragment that is never used.",
                Some(pos),
            )),
        }
    }

    /// Returns the root fields of an operation, including those in fragments. Call this only after the number of fields
    /// has been checked: a fragment may be spread many times.
    #[must_use]
    pub fn roots<'a>(&'a self, selected: &Selected<'a>) -> Vec<&'a Positioned<Field>> {
        let mut roots = Vec::new();
        let mut pending = vec![&selected.operation.node.selection_set.node];
        while let Some(set) = pending.pop() {
            for selection in &set.items {
                match &selection.node {
                    Selection::Field(field) => roots.push(field),
                    Selection::InlineFragment(inline) => {
                        pending.push(&inline.node.selection_set.node);
                    }
                    Selection::FragmentSpread(spread) => pending.extend(
                        self.parsed
                            .fragments
                            .get(&spread.node.fragment_name.node)
                            .map(|fragment| &fragment.node.selection_set.node),
                    ),
                }
            }
        }
        roots
    }

    /// Whether a root field, or a fragment around one, has a directive.
    pub(super) fn root_has_directives(&self, selected: &Selected<'_>) -> bool {
        let mut pending = vec![&selected.operation.node.selection_set.node];
        while let Some(set) = pending.pop() {
            for selection in &set.items {
                if !selection.node.directives().is_empty() {
                    return true;
                }
                match &selection.node {
                    Selection::Field(_) => {}
                    Selection::InlineFragment(inline) => {
                        pending.push(&inline.node.selection_set.node);
                    }
                    Selection::FragmentSpread(spread) => pending.extend(
                        self.parsed
                            .fragments
                            .get(&spread.node.fragment_name.node)
                            .map(|fragment| &fragment.node.selection_set.node),
                    ),
                }
            }
        }
        false
    }
}

impl Selected<'_> {
    /// The type of the operation.
    #[must_use]
    pub fn kind(&self) -> OperationType {
        self.operation.node.ty
    }
}

/// Returns the fragments that `set` spreads at any depth, but not those that only its fragments spread.
fn spread_in(set: &SelectionSet) -> Vec<Name> {
    let mut names = Vec::new();
    let mut pending = vec![set];
    while let Some(set) = pending.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => pending.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => pending.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    names.push(spread.node.fragment_name.node.clone());
                }
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Sorts fragments so that each follows the fragments that it spreads. Fails if there is a cycle.
fn topological_order(spreads: &HashMap<Name, Vec<Name>>) -> Result<Vec<Name>, GuardError> {
    let mut missing: HashMap<&Name, usize> = HashMap::new();
    let mut users: HashMap<&Name, Vec<&Name>> = HashMap::new();
    for (user, used) in spreads {
        let existing = used.iter().filter(|name| spreads.contains_key(*name));
        missing.insert(user, existing.clone().count());
        for name in existing {
            users.entry(name).or_default().push(user);
        }
    }
    let mut ready: Vec<&Name> = missing
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| *name)
        .collect();
    let mut order = Vec::with_capacity(spreads.len());
    while let Some(name) = ready.pop() {
        order.push(name.clone());
        for user in users.get(name).into_iter().flatten() {
            if let Some(count) = missing.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    ready.push(user);
                }
            }
        }
    }
    if order.len() < spreads.len() {
        return Err(GuardError::invalid(
            "A fragment spreads itself, directly or through other fragments.",
            None,
        ));
    }
    Ok(order)
}

fn at_most(maximum: u64, found: usize, limit: &'static str) -> Result<(), GuardError> {
    let found = u64::try_from(found).unwrap_or(u64::MAX);
    if found > maximum {
        return Err(GuardError::limit_exceeded(
            Stage::Validation,
            limit,
            maximum,
            found,
        ));
    }
    Ok(())
}

/// Converts a parser error, without the line of the document that it quotes.
fn without_source(error: &parser::Error) -> GuardError {
    let at = error.positions().next();
    match error {
        parser::Error::Syntax { message, .. } => {
            // The last line of the message lists grammar rules; every line above it quotes the document.
            let expected = message
                .lines()
                .last()
                .and_then(|line| line.trim().strip_prefix("= "))
                .filter(|line| line.starts_with("expected") || line.starts_with("unexpected"))
                .map(|line| format!(": {}", line.replace('_', " ").trim_end()));
            GuardError::syntax(
                format!(
                    "The document is not valid GraphQL{}.",
                    expected.unwrap_or_default()
                ),
                at,
            )
        }
        parser::Error::MultipleOperations { .. } => GuardError::invalid(
            "An anonymous operation must be the only operation of its document.",
            at,
        ),
        parser::Error::OperationDuplicated { .. } => {
            GuardError::invalid("Two operations have the same name.", at)
        }
        parser::Error::FragmentDuplicated { .. } => {
            GuardError::invalid("Two fragments have the same name.", at)
        }
        parser::Error::MissingOperation => {
            GuardError::invalid("The document has no operation.", at)
        }
        _ => GuardError::syntax("The document is not valid GraphQL.", at),
    }
}
