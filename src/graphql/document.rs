//! Properties of a document that decide how its fields may be resolved. No request data.

use async_graphql::{
    Pos, Positioned,
    parser::types::{ExecutableDocument, Field, Selection},
};

/// Identifies a field of a document. It is the address of the field, which does not move while its document is
/// executed. Its position is not unique: the guard repeats the fields of a fragment wherever it is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FieldAddress(usize);

impl FieldAddress {
    pub(crate) fn of(field: &Positioned<Field>) -> Self {
        Self(std::ptr::from_ref(field).addr())
    }
}

/// How the fields of a document may repeat. The guard has merged those with equal response keys.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DocumentShape {
    /// Whether a field may be executed more than once outside of lists: under an alias, or in a fragment that is
    /// spread twice.
    pub(crate) may_repeat_fields: bool,
}

impl DocumentShape {
    pub(crate) fn of(document: &ExecutableDocument) -> Self {
        Self {
            may_repeat_fields: may_repeat_fields(document),
        }
    }
}

fn may_repeat_fields(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter();
    let mut sets: Vec<_> = operations
        .map(|(_, operation)| &operation.node.selection_set.node)
        .collect();
    let mut positions: Vec<Pos> = vec![];
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.alias.is_some() => return true,
                Selection::Field(field) => {
                    positions.push(field.pos);
                    sets.push(&field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                // The guard has replaced them by their fields.
                Selection::FragmentSpread(_) => return true,
            }
        }
    }
    positions.sort_unstable();
    positions.array_windows().any(|[one, next]| one == next)
}
