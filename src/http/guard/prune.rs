//! Removes the parts of a document that the executor must not see: unselected operations and fragments, and all uses of
//! omitted variables.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

use super::document::{Document, Selected};

/// Returns the selected operation with the fragments that it reaches.
///
/// The executor reads an omitted nullable variable as null. For an input field that is wrong: null clears a value, and
/// an absent field keeps it. The arguments and fields that use such a variable are therefore removed, as the
/// specification requires.
#[must_use]
pub(super) fn prune(
    document: &Document,
    selected: &Selected<'_>,
    omitted: &HashSet<Name>,
) -> ExecutableDocument {
    let mut operation = selected.operation.clone();
    let mut names = selected.fragments.clone();
    if operation.node.ty == OperationType::Subscription {
        // The executor does not find a root field inside a fragment. There is exactly one, so it can be moved out.
        if let Some(root) = document.roots(selected).first().copied() {
            operation.node.selection_set.node.items =
                vec![Positioned::new(Selection::Field(root.clone()), root.pos)];
            names = document.fragments_for(&root.node.selection_set.node);
        }
    }
    let mut fragments: HashMap<_, _> = names
        .into_iter()
        .filter_map(|name| {
            let fragment = document.parsed.fragments.get(name)?;
            Some((name.clone(), fragment.clone()))
        })
        .collect();
    if !omitted.is_empty() {
        remove_from_operation(&mut operation.node, omitted);
        for fragment in fragments.values_mut() {
            remove_from_set(&mut fragment.node.selection_set.node, omitted);
        }
    }
    ExecutableDocument {
        operations: match selected.name {
            None => DocumentOperations::Single(operation),
            Some(name) => DocumentOperations::Multiple([(name.clone(), operation)].into()),
        },
        fragments,
    }
}

fn remove_from_operation(operation: &mut OperationDefinition, omitted: &HashSet<Name>) {
    operation
        .variable_definitions
        .retain(|definition| !omitted.contains(&definition.node.name.node));
    remove_from_directives(&mut operation.directives, omitted);
    remove_from_set(&mut operation.selection_set.node, omitted);
}

fn remove_from_set(set: &mut SelectionSet, omitted: &HashSet<Name>) {
    for selection in &mut set.items {
        remove_from_directives(selection.node.directives_mut(), omitted);
        match &mut selection.node {
            Selection::Field(field) => remove_from_field(&mut field.node, omitted),
            Selection::InlineFragment(inline) => {
                remove_from_set(&mut inline.node.selection_set.node, omitted);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn remove_from_field(field: &mut Field, omitted: &HashSet<Name>) {
    remove_from_arguments(&mut field.arguments, omitted);
    remove_from_set(&mut field.selection_set.node, omitted);
}

fn remove_from_directives(directives: &mut [Positioned<Directive>], omitted: &HashSet<Name>) {
    for directive in directives {
        remove_from_arguments(&mut directive.node.arguments, omitted);
    }
}

fn remove_from_arguments(
    arguments: &mut Vec<(Positioned<Name>, Positioned<Value>)>,
    omitted: &HashSet<Name>,
) {
    arguments.retain(|(_, value)| !is_omitted(&value.node, omitted));
    for (_, value) in arguments {
        remove_from_value(&mut value.node, omitted);
    }
}

fn remove_from_value(value: &mut Value, omitted: &HashSet<Name>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !is_omitted(value, omitted));
            for value in fields.values_mut() {
                remove_from_value(value, omitted);
            }
        }
        Value::List(items) => {
            for item in items {
                if is_omitted(item, omitted) {
                    // A list keeps its length: the specification replaces the item by null.
                    *item = Value::Null;
                }
                remove_from_value(item, omitted);
            }
        }
        _ => {}
    }
}

fn is_omitted(value: &Value, omitted: &HashSet<Name>) -> bool {
    matches!(value, Value::Variable(name) if omitted.contains(name))
}
