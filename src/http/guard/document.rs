//! A parsed document with its fragment graph sorted, so that whatever is asked of it afterwards is asked of each
//! fragment once.

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

/// A document that can be read, of a size that can be worked with.
#[derive(Debug)]
pub struct Document {
    pub(super) parsed: ExecutableDocument,
    /// Every fragment, each after all those that it spreads.
    order: Vec<Name>,
    /// The fragments that each fragment spreads itself.
    spreads: HashMap<Name, Vec<Name>>,
}

/// The operation that a request runs, with the fragments that it reaches, leaves first.
#[derive(Clone, Debug)]
pub struct Selected<'a> {
    /// Its name; none for the shorthand and other anonymous operations.
    pub name: Option<&'a Name>,
    /// The operation itself.
    pub operation: &'a Positioned<OperationDefinition>,
    pub(super) fragments: Vec<&'a Name>,
}

impl Document {
    /// Reads `text`, cheapest checks first: the parser recurses on brackets, so it sees none before the lexer has
    /// counted them.
    pub fn read(text: &str, limits: &Limits) -> Result<Self, GuardError> {
        lex(text, limits)?;
        let parsed = parse_query(text).map_err(|error| reworded(&error))?;
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
        let order = leaves_first(&spreads)?;
        let document = Self {
            parsed,
            order,
            spreads,
        };
        document.refuse_unused_fragments()?;
        Ok(document)
    }

    /// The operation called `name`, or the only one.
    pub fn select(&self, name: Option<&str>) -> Result<Selected<'_>, GuardError> {
        let (name, operation) = match (name, &self.parsed.operations) {
            (None, DocumentOperations::Single(only)) => (None, only),
            (Some(_), DocumentOperations::Single(_)) => {
                return Err(GuardError::invalid(
                    "The document's only operation has no name.",
                    None,
                ));
            }
            (Some(wanted), DocumentOperations::Multiple(all)) => all
                .iter()
                .find(|(name, _)| name.as_str() == wanted)
                .map(|(name, operation)| (Some(name), operation))
                .ok_or_else(|| {
                    GuardError::invalid("The document has no operation of that name.", None)
                })?,
            (None, DocumentOperations::Multiple(all)) => match all.iter().next() {
                Some((name, operation)) if all.len() == 1 => (Some(name), operation),
                _ => {
                    return Err(GuardError::invalid(
                        "The document has several operations: name one in `operationName`.",
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

    /// The fragments that `set` reaches, leaves first.
    pub(super) fn fragments_for(&self, set: &SelectionSet) -> Vec<&Name> {
        let reached = self.reached_from(set);
        self.order
            .iter()
            .filter(|name| reached.contains(name))
            .collect()
    }

    fn reached_from(&self, set: &SelectionSet) -> HashSet<&Name> {
        let mut reached = HashSet::new();
        let mut waiting: Vec<Name> = spread_in(set);
        while let Some(name) = waiting.pop() {
            if let Some((name, next)) = self.spreads.get_key_value(&name)
                && reached.insert(name)
            {
                waiting.extend(next.iter().cloned());
            }
        }
        reached
    }

    fn refuse_unused_fragments(&self) -> Result<(), GuardError> {
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
            Some(pos) => Err(GuardError::invalid("A fragment is never used.", Some(pos))),
        }
    }

    /// The fields at the top of an operation, through any fragments around them. Ask only after its fields have been
    /// counted: the same fragment may be spread many times.
    #[must_use]
    pub fn roots<'a>(&'a self, selected: &Selected<'a>) -> Vec<&'a Positioned<Field>> {
        let mut roots = Vec::new();
        let mut waiting = vec![&selected.operation.node.selection_set.node];
        while let Some(set) = waiting.pop() {
            for selection in &set.items {
                match &selection.node {
                    Selection::Field(field) => roots.push(field),
                    Selection::InlineFragment(inline) => {
                        waiting.push(&inline.node.selection_set.node);
                    }
                    Selection::FragmentSpread(spread) => waiting.extend(
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

    /// Whether a directive stands on a top-level field or on a fragment around one.
    pub(super) fn root_has_directives(&self, selected: &Selected<'_>) -> bool {
        let mut waiting = vec![&selected.operation.node.selection_set.node];
        while let Some(set) = waiting.pop() {
            for selection in &set.items {
                if !selection.node.directives().is_empty() {
                    return true;
                }
                match &selection.node {
                    Selection::Field(_) => {}
                    Selection::InlineFragment(inline) => {
                        waiting.push(&inline.node.selection_set.node);
                    }
                    Selection::FragmentSpread(spread) => waiting.extend(
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
    /// Whether it reads, writes or subscribes.
    #[must_use]
    pub fn kind(&self) -> OperationType {
        self.operation.node.ty
    }
}

/// The fragments spread anywhere inside `set`, without going into them.
fn spread_in(set: &SelectionSet) -> Vec<Name> {
    let mut names = Vec::new();
    let mut waiting = vec![set];
    while let Some(set) = waiting.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => waiting.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => waiting.push(&inline.node.selection_set.node),
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

/// Sorts fragments so that each follows all it spreads; a cycle leaves some that never can.
fn leaves_first(spreads: &HashMap<Name, Vec<Name>>) -> Result<Vec<Name>, GuardError> {
    let mut missing: HashMap<&Name, usize> = HashMap::new();
    let mut users: HashMap<&Name, Vec<&Name>> = HashMap::new();
    for (user, used) in spreads {
        let known = used.iter().filter(|name| spreads.contains_key(*name));
        missing.insert(user, known.clone().count());
        for name in known {
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
        return Err(GuardError::invalid("A fragment spreads itself.", None));
    }
    Ok(order)
}

fn at_most(maximum: u64, found: usize, limit: &'static str) -> Result<(), GuardError> {
    let found = u64::try_from(found).unwrap_or(u64::MAX);
    if found > maximum {
        return Err(GuardError::excess(Stage::Checking, limit, maximum, found));
    }
    Ok(())
}

/// The parser's complaint without the line of source that it quotes.
fn reworded(error: &parser::Error) -> GuardError {
    let at = error.positions().next();
    match error {
        parser::Error::Syntax { message, .. } => {
            // The last line of the message lists grammar rules; every line above it quotes the document.
            let wanted = message
                .lines()
                .last()
                .and_then(|line| line.trim().strip_prefix("= "))
                .filter(|line| line.starts_with("expected") || line.starts_with("unexpected"))
                .map(|line| format!(": {}", line.replace('_', " ").trim_end()));
            GuardError::syntax(
                format!(
                    "The document is not valid GraphQL{}.",
                    wanted.unwrap_or_default()
                ),
                at,
            )
        }
        parser::Error::MultipleOperations { .. } => {
            GuardError::invalid("An anonymous operation must be the only one.", at)
        }
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
