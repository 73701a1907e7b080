//! The columns that the plan of a connection reads, found before its rows are.

use std::{cell::RefCell, collections::BTreeSet};

use async_graphql::{
    Context, Positioned,
    parser::types::{Field, Selection as QuerySelection},
};

use super::{PlannedObject, Selection};
use crate::{
    domain::{conversations, messages::projection::Columns},
    graphql::context::app,
};

/// The columns that a plan reads, by table.
#[derive(Clone, Debug, Default)]
pub struct RequiredColumns {
    /// Of messages.
    pub message: BTreeSet<&'static str>,
    /// Of users.
    pub user: BTreeSet<&'static str>,
    /// Of conversations.
    pub conversation: BTreeSet<&'static str>,
    /// Of the viewer's participant rows.
    pub participant: BTreeSet<&'static str>,
    /// Whether the unread count of each conversation is read.
    pub unread: bool,
}

impl RequiredColumns {
    /// The columns of a list of messages. The sender is joined when one of its fields is selected.
    #[must_use]
    pub fn messages(self) -> Columns {
        let has_sender = self.message.contains("sender_id") && !self.user.is_empty();
        let others = self.user.into_iter().filter(|&column| column != "id");
        let sender = std::iter::once("id").chain(others);
        let sender = has_sender.then_some(sender).into_iter().flatten();
        Columns::some(self.message, sender)
    }

    /// The columns of a list of conversations.
    #[must_use]
    pub fn conversations(self) -> conversations::Columns {
        conversations::Columns {
            conversation: self.conversation.into_iter().collect(),
            participant: self.participant.into_iter().collect(),
            unread: self.unread,
        }
    }
}

/// The columns to read of the items of the connection that is resolved; none where its lists need the executor, which
/// reads all. `ancestors_visible` as in [`Selection`].
pub(crate) fn required_columns<E: PlannedObject, N: PlannedObject>(
    ctx: &Context<'_>,
    ancestors_visible: bool,
) -> Option<RequiredColumns> {
    required_columns_of::<E, N>(ctx, ctx.item, ancestors_visible)
}

/// The columns to read of the items of the connection that this field selects.
pub(crate) fn required_columns_of<E: PlannedObject, N: PlannedObject>(
    ctx: &Context<'_>,
    field: &Positioned<Field>,
    ancestors_visible: bool,
) -> Option<RequiredColumns> {
    if !app(ctx).config.list_fast_path {
        return None;
    }
    let required_columns = RefCell::default();
    let set = Selection {
        fields: &field.node.selection_set.node,
        fragments: &ctx.query_env.fragments,
        required_columns: &required_columns,
        ancestors_visible,
    };
    plan_lists::<E, N>(set)?;
    Some(required_columns.into_inner())
}

/// Builds the plans of the connection's lists. Fragments count whether or not they apply: at worst too many columns
/// are read.
fn plan_lists<E: PlannedObject, N: PlannedObject>(set: Selection<'_>) -> Option<()> {
    for selection in &set.fields.items {
        match &selection.node {
            QuerySelection::Field(field) => match field.node.name.node.as_str() {
                "edges" => drop(set.within(&field.node).plan::<E>()?),
                "nodes" => drop(set.within(&field.node).plan::<N>()?),
                _ => {}
            },
            QuerySelection::InlineFragment(inline) => {
                let fields = &inline.node.selection_set.node;
                plan_lists::<E, N>(Selection { fields, ..set })?;
            }
            QuerySelection::FragmentSpread(spread) => {
                let fragment = set.fragments.get(&spread.node.fragment_name.node)?;
                let fields = &fragment.node.selection_set.node;
                plan_lists::<E, N>(Selection { fields, ..set })?;
            }
        }
    }
    Some(())
}
