//! Properties of a query document that decide how its fields may be resolved. No request data.

use std::collections::HashSet;

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, Field, Selection, SelectionSet},
};

/// Fields that are compared before a document counts as one with mergeable fields.
const MAX_COMPARED_FIELDS: usize = 2000;

/// Identifies a field of a document. It is the address of the field, which does not move while its document is
/// executed. Its position is not unique: the guard repeats the fields of a fragment wherever it is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FieldAddress(usize);

impl FieldAddress {
    pub(crate) fn of(field: &Positioned<Field>) -> Self {
        Self(std::ptr::from_ref(field).addr())
    }
}

/// How the fields of a document may repeat.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DocumentShape {
    /// Whether a field may be executed more than once outside of lists: under an alias, or in a fragment that is
    /// spread twice.
    pub(crate) may_repeat_fields: bool,
    /// Whether separately resolved fields may merge into one response field: the document selects a field twice in
    /// one object, directly or through fragments.
    pub(crate) has_mergeable_fields: bool,
}

impl DocumentShape {
    pub(crate) fn of(document: &ExecutableDocument) -> Self {
        Self {
            may_repeat_fields: may_repeat_fields(document),
            has_mergeable_fields: has_mergeable_fields(document),
        }
    }
}

/// The outermost selection sets of a document: those of its operations and of its fragments.
fn selection_sets(document: &ExecutableDocument) -> Vec<&SelectionSet> {
    let operations = document.operations.iter();
    let operations = operations.map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values();
    let fragments = fragments.map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).collect()
}

fn may_repeat_fields(document: &ExecutableDocument) -> bool {
    let mut spread = HashSet::new();
    let mut sets = selection_sets(document);
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.alias.is_some() => return true,
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(fragment) => {
                    let name: &Name = &fragment.node.fragment_name.node;
                    if !spread.insert(name) {
                        return true;
                    }
                }
            }
        }
    }
    false
}

fn has_mergeable_fields(document: &ExecutableDocument) -> bool {
    let mut compared = 0;
    let mut sets = selection_sets(document);
    while let Some(set) = sets.pop() {
        let mut objects: Vec<&Name> = vec![];
        let mut parts = vec![set];
        while let Some(part) = parts.pop() {
            for selection in &part.items {
                compared += 1;
                match &selection.node {
                    Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {}
                    Selection::Field(field) => {
                        objects.push(&field.node.response_key().node);
                        sets.push(&field.node.selection_set.node);
                    }
                    Selection::InlineFragment(inline) => {
                        parts.push(&inline.node.selection_set.node);
                    }
                    Selection::FragmentSpread(spread) => {
                        let fragment = document.fragments.get(&spread.node.fragment_name.node);
                        parts.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    }
                }
            }
            if compared > MAX_COMPARED_FIELDS {
                return true;
            }
        }
        objects.sort_unstable();
        if objects.array_windows().any(|[one, next]| one == next) {
            return true;
        }
    }
    false
}
