//! The selection set that a plan is built from.

use std::{cell::RefCell, collections::HashMap};

use async_graphql::{
    Name, Positioned,
    parser::types::{Field, FragmentDefinition, Selection as QuerySelection, SelectionSet},
};

use super::{Plan, PlannedObject, RequiredColumns};

/// The fields that a query selects of an object.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    pub(super) fields: &'a SelectionSet,
    pub(super) fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// Collects the columns that the plans of the whole selection read.
    pub(super) required_columns: &'a RefCell<RequiredColumns>,
    /// Whether the messages are of a thread's list. Then their parents, to the root, are visible and not hidden: nobody
    /// sees a thread without its root, everything else in it is newer, and a message with replies is not hidden.
    pub(super) ancestors_visible: bool,
}

impl<'a> Selection<'a> {
    /// The selection within one of its fields.
    pub(super) fn within(self, field: &'a Field) -> Self {
        let fields = &field.selection_set.node;
        Self { fields, ..self }
    }

    /// This selection of an object that is not in the list.
    #[must_use]
    pub fn without_ancestors(self) -> Self {
        Self {
            ancestors_visible: false,
            ..self
        }
    }

    /// Whether it selects only the ids of parents in a thread's list.
    #[must_use]
    pub fn selects_only_parent_id(self) -> bool {
        let is_id = |selection: &Positioned<QuerySelection>| match &selection.node {
            QuerySelection::Field(field) => {
                ["id", "__typename"].contains(&field.node.name.node.as_str())
            }
            _ => false,
        };
        self.ancestors_visible && self.fields.items.iter().all(is_id)
    }

    /// Plans how to serialise it; none where that needs the executor.
    #[must_use]
    pub fn plan<T: PlannedObject>(self) -> Option<Plan<T>> {
        Plan::new(self)
    }
}
