//! Which columns it takes to tell a list at once, found before its rows are read.

use std::{cell::RefCell, collections::BTreeSet};

use async_graphql::{
    Context, Positioned,
    parser::types::{Field, Selection as QuerySelection, SelectionSet},
};

use super::{PlannedObject, Selection};
use crate::{
    domain::{conversations, messages::projection::Columns},
    graphql::context::app,
};

/// The columns that are needed of the messages in a list, and of the people whom they name.
#[derive(Clone, Debug, Default)]
pub struct RequiredColumns {
    /// Of messages.
    pub message: BTreeSet<&'static str>,
    /// Of people.
    pub user: BTreeSet<&'static str>,
    /// Of conversations.
    pub conversation: BTreeSet<&'static str>,
    /// Of the viewer's places in them.
    pub participant: BTreeSet<&'static str>,
    /// How many messages are unread there.
    pub unread: bool,
}

impl RequiredColumns {
    /// As rows of messages are read: whoever sent them comes with them when they are to be told.
    #[must_use]
    pub fn messages(self) -> Columns {
        let is_sender_told = self.message.contains("sender_id") && !self.user.is_empty();
        let others = self.user.into_iter().filter(|&column| column != "id");
        let sender = std::iter::once("id").chain(others);
        let sender = is_sender_told.then_some(sender).into_iter().flatten();
        Columns::some(self.message, sender)
    }

    /// As rows of conversations are read.
    #[must_use]
    pub fn conversations(self) -> conversations::Columns {
        conversations::Columns {
            conversation: self.conversation.into_iter().collect(),
            participant: self.participant.into_iter().collect(),
            unread: self.unread,
        }
    }
}

/// What is to be read of the items of a connection with these edges: all, where its lists are not told at once.
/// `ancestors_visible` as [`Selection::ancestors_visible`].
pub(crate) fn required_columns<E: PlannedObject, N: PlannedObject>(
    ctx: &Context<'_>,
    ancestors_visible: bool,
) -> Option<RequiredColumns> {
    required_columns_of::<E, N>(ctx, ctx.item, ancestors_visible)
}

/// The same of a connection that will be asked for by this field.
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
        asked: &field.node.selection_set.node,
        fragments: &ctx.query_env.fragments,
        required_columns: &required_columns,
        ancestors_visible,
    };
    look_for::<E, N>(set)?;
    Some(required_columns.into_inner())
}

/// Makes the same plans that the lists of the connection will make. Fragments around them are followed whether or not
/// they apply: at worst that is too much.
fn look_for<E: PlannedObject, N: PlannedObject>(set: Selection<'_>) -> Option<()> {
    let inside = |asked| Selection { asked, ..set };
    for selection in &set.asked.items {
        match &selection.node {
            QuerySelection::Field(field) => {
                let asked: &SelectionSet = &field.node.selection_set.node;
                match field.node.name.node.as_str() {
                    "edges" => drop(inside(asked).plan::<E>()?),
                    "nodes" => drop(inside(asked).plan::<N>()?),
                    _ => {}
                }
            }
            QuerySelection::InlineFragment(inline) => {
                look_for::<E, N>(inside(&inline.node.selection_set.node))?;
            }
            QuerySelection::FragmentSpread(spread) => {
                let fragment = set.fragments.get(&spread.node.fragment_name.node)?;
                look_for::<E, N>(inside(&fragment.node.selection_set.node))?;
            }
        }
    }
    Some(())
}
