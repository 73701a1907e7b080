//! What is asked inside a field before that is resolved, so that both are read by one statement. Whoever looks ahead
//! may be wrong: what was read for nothing costs its reading, and what was not is read when it is asked for.

use async_graphql::{
    Context, InputType, Positioned, Value,
    parser::types::{Field, Selection},
};

use crate::graphql::{
    page::Both,
    plain::{self, Plain, Takes},
};

/// A field that is asked inside the one being resolved.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'c, 'a> {
    ctx: &'c Context<'a>,
    field: &'c Positioned<Field>,
}

/// The field of this name, if it stands there once, by itself.
pub(crate) fn only<'c, 'a>(ctx: &'c Context<'a>, name: &str) -> Option<Asked<'c, 'a>> {
    let items = &ctx.item.node.selection_set.node.items;
    let mut found = items.iter().filter_map(|selection| match &selection.node {
        Selection::Field(field) if field.node.name.node.as_str() == name => Some(field),
        _ => None,
    });
    let field = found.next().filter(|_| found.next().is_none())?;
    Some(Asked { ctx, field })
}

impl Asked<'_, '_> {
    /// What an argument is given, if anything; none where that cannot be told.
    fn given(self, name: &str) -> Option<Option<Value>> {
        let variables = &self.ctx.query_env.variables;
        let Some(value) = self.field.node.get_argument(name) else {
            return Some(None);
        };
        let value = value.node.clone();
        let value = value.into_const_with(|name| variables.get(&name).cloned().ok_or(()));
        Some(Some(value.ok()?))
    }

    /// An argument's value; none where it is not one.
    pub(crate) fn argument<T: InputType>(self, name: &str) -> Option<T> {
        T::parse(self.given(name)?).ok()
    }

    /// The arguments of a page.
    pub(crate) fn both(self) -> Option<Both> {
        Some(Both {
            first: self.argument("first")?,
            after: self.argument("after")?,
            last: self.argument("last")?,
            before: self.argument("before")?,
        })
    }

    /// Whether this argument is not given.
    pub(crate) fn is_without(self, name: &str) -> bool {
        matches!(self.given(name), Some(None | Some(Value::Null)))
    }

    /// As [`plain::takes`] has it.
    pub(crate) fn takes<E: Plain, N: Plain>(self, lineage: bool) -> Option<Takes> {
        plain::takes_of::<E, N>(self.ctx, self.field, lineage)
    }
}
