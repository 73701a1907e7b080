//! The selection that a plan is built from, and the columns that the plan reads.

use std::cell::RefCell;

use async_graphql::{
    Positioned,
    parser::types::{Field, Selection, SelectionSet},
};

use crate::entity::{conversation, message, participant, thread, user};

/// The columns that a plan reads, by table, in any order and possibly several times.
#[derive(Default, Debug)]
pub struct RequiredColumns {
    /// Of conversations.
    pub conversation: Vec<conversation::Column>,
    /// Of messages.
    pub message: Vec<message::Column>,
    /// Of participants.
    pub participant: Vec<participant::Column>,
    /// Of threads. They are always loaded whole.
    pub thread: Vec<thread::Column>,
    /// Of users.
    pub user: Vec<user::Column>,
    /// The number of unread root messages.
    pub unread: bool,
}

/// The fields that a query selects of an object.
#[derive(Clone, Copy)]
pub struct FieldSelection<'a> {
    pub(super) fields: &'a SelectionSet,
    /// Collects the columns that the plans of the whole selection read.
    pub(super) required: &'a RefCell<RequiredColumns>,
    /// Whether the messages are in the list of a thread. Then their parents, up to the root, are visible and not
    /// hidden: no one sees a thread without its root, everything else in it is newer, and a message with replies is
    /// not hidden.
    pub(super) ancestors_visible: bool,
}

impl<'a> FieldSelection<'a> {
    /// The selection within one of its fields.
    pub(super) fn within(self, field: &'a Field) -> Self {
        Self {
            fields: &field.selection_set.node,
            ..self
        }
    }

    /// This selection of an object that is not in the list.
    #[must_use]
    pub fn without_ancestors(self) -> Self {
        Self {
            ancestors_visible: false,
            ..self
        }
    }

    /// Requires columns.
    pub fn require(self, add: impl FnOnce(&mut RequiredColumns)) {
        add(&mut self.required.borrow_mut());
    }

    /// Whether it selects only the ids of parents in the list of a thread.
    #[must_use]
    pub fn selects_only_parent_id(self) -> bool {
        let is_id = |selection: &Positioned<Selection>| match &selection.node {
            Selection::Field(field) => {
                ["id", "__typename"].contains(&field.node.name.node.as_str())
            }
            _ => false,
        };
        self.ancestors_visible && self.fields.items.iter().all(is_id)
    }
}
