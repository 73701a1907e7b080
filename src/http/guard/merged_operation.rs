//! An operation after merging, and what the rules about root fields need to know about it.

use async_graphql::{Name, Positioned, parser::types};

/// An operation that the executor can run.
#[derive(Debug)]
pub(super) struct MergedOperation {
    /// The operation, without the fields `__schema` and `__type` of the root.
    pub(super) document: types::ExecutableDocument,
    /// The fields of the root, including `__schema` and `__type`.
    pub(super) roots: Vec<RootField>,
    /// The fields of the root before merging.
    pub(super) root_selections: usize,
    /// The number of its fields and of the values of their arguments, as a measure of its memory.
    pub(super) size: u64,
}

/// A field of the root.
#[derive(Debug)]
pub(super) struct RootField {
    pub(super) key: Name,
    pub(super) name: Name,
}

impl RootField {
    pub(super) fn is_introspection(&self) -> bool {
        ["__schema", "__type"].contains(&self.name.as_str())
    }

    pub(super) fn of(item: &Positioned<types::Selection>) -> Option<Self> {
        let types::Selection::Field(field) = &item.node else {
            return None;
        };
        Some(Self {
            key: field.node.response_key().node.clone(),
            name: field.node.name.node.clone(),
        })
    }
}
