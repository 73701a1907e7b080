//! Which columns it takes to tell a list at once, found before its rows are read.

use std::{cell::RefCell, collections::BTreeSet};

use async_graphql::{
    Context, Positioned,
    parser::types::{Field, Selection, SelectionSet},
};

use super::{Plain, Set};
use crate::{
    domain::{conversations, messages::columns::Columns},
    graphql::context::app,
};

/// The columns that are needed of the messages in a list, and of the people whom they name.
#[derive(Clone, Debug, Default)]
pub struct Takes {
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

impl Takes {
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
/// `lineage` as [`Set::lineage`].
pub(crate) fn takes<E: Plain, N: Plain>(ctx: &Context<'_>, lineage: bool) -> Option<Takes> {
    takes_of::<E, N>(ctx, ctx.item, lineage)
}

/// The same of a connection that will be asked for by this field.
pub(crate) fn takes_of<E: Plain, N: Plain>(
    ctx: &Context<'_>,
    field: &Positioned<Field>,
    lineage: bool,
) -> Option<Takes> {
    if !app(ctx).config.list_fast_path {
        return None;
    }
    let takes = RefCell::default();
    let set = Set {
        asked: &field.node.selection_set.node,
        fragments: &ctx.query_env.fragments,
        takes: &takes,
        lineage,
    };
    look_for::<E, N>(set)?;
    Some(takes.into_inner())
}

/// Makes the same plans that the lists of the connection will make. Fragments around them are followed whether or not
/// they apply: at worst that is too much.
fn look_for<E: Plain, N: Plain>(set: Set<'_>) -> Option<()> {
    let inside = |asked| Set { asked, ..set };
    for selection in &set.asked.items {
        match &selection.node {
            Selection::Field(field) => {
                let asked: &SelectionSet = &field.node.selection_set.node;
                match field.node.name.node.as_str() {
                    "edges" => drop(inside(asked).plan::<E>()?),
                    "nodes" => drop(inside(asked).plan::<N>()?),
                    _ => {}
                }
            }
            Selection::InlineFragment(inline) => {
                look_for::<E, N>(inside(&inline.node.selection_set.node))?;
            }
            Selection::FragmentSpread(spread) => {
                let fragment = set.fragments.get(&spread.node.fragment_name.node)?;
                look_for::<E, N>(inside(&fragment.node.selection_set.node))?;
            }
        }
    }
    Some(())
}
