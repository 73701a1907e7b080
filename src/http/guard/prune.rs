//! The document that the executor gets: the selected operation, the fragments that it reaches, and nothing that stands
//! for a variable which was left out.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

use super::document::{Document, Selected};

/// Cuts `document` down to what `selected` needs.
///
/// The executor reads a left-out nullable variable as null, which is another thing for fields where null clears and
/// absence keeps; so the places where such a variable stands are taken out, as the specification has it.
#[must_use]
pub(super) fn prune(
    document: &Document,
    selected: &Selected<'_>,
    omitted: &HashSet<Name>,
) -> ExecutableDocument {
    let mut operation = selected.operation.clone();
    let mut names = selected.fragments.clone();
    if operation.node.ty == OperationType::Subscription {
        // The executor sees no root field inside a fragment. There is exactly one, so it can stand by itself.
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
        forget(&mut operation.node, omitted);
        for fragment in fragments.values_mut() {
            forget_in_set(&mut fragment.node.selection_set.node, omitted);
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

fn forget(operation: &mut OperationDefinition, omitted: &HashSet<Name>) {
    operation
        .variable_definitions
        .retain(|definition| !omitted.contains(&definition.node.name.node));
    forget_in_directives(&mut operation.directives, omitted);
    forget_in_set(&mut operation.selection_set.node, omitted);
}

fn forget_in_set(set: &mut SelectionSet, omitted: &HashSet<Name>) {
    for selection in &mut set.items {
        forget_in_directives(selection.node.directives_mut(), omitted);
        match &mut selection.node {
            Selection::Field(field) => forget_in_field(&mut field.node, omitted),
            Selection::InlineFragment(inline) => {
                forget_in_set(&mut inline.node.selection_set.node, omitted);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn forget_in_field(field: &mut Field, omitted: &HashSet<Name>) {
    forget_in_arguments(&mut field.arguments, omitted);
    forget_in_set(&mut field.selection_set.node, omitted);
}

fn forget_in_directives(directives: &mut [Positioned<Directive>], omitted: &HashSet<Name>) {
    for directive in directives {
        forget_in_arguments(&mut directive.node.arguments, omitted);
    }
}

fn forget_in_arguments(
    arguments: &mut Vec<(Positioned<Name>, Positioned<Value>)>,
    omitted: &HashSet<Name>,
) {
    arguments.retain(|(_, value)| !is_omitted(&value.node, omitted));
    for (_, value) in arguments {
        forget_in_value(&mut value.node, omitted);
    }
}

fn forget_in_value(value: &mut Value, omitted: &HashSet<Name>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !is_omitted(value, omitted));
            for value in fields.values_mut() {
                forget_in_value(value, omitted);
            }
        }
        Value::List(items) => {
            for item in items {
                if is_omitted(item, omitted) {
                    // A list keeps its length: the specification puts null there.
                    *item = Value::Null;
                }
                forget_in_value(item, omitted);
            }
        }
        _ => {}
    }
}

fn is_omitted(value: &Value, omitted: &HashSet<Name>) -> bool {
    matches!(value, Value::Variable(name) if omitted.contains(name))
}
