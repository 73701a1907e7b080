//! Finds a field within the one that is being resolved, so that one statement reads both. A wrong guess is harmless: a
//! value that was read in vain is dropped, and a missing one is loaded when its field is resolved.

use std::sync::Arc;

use async_graphql::{
    Context, InputType, Positioned, Value,
    parser::types::{Field, Selection},
};

use crate::graphql::{
    list_plan::{ConnectionPlan, PlannedObject},
    pagination::Both,
};

/// A field within the one that is being resolved.
#[derive(Clone, Copy)]
pub(crate) struct RequestedField<'c, 'a> {
    ctx: &'c Context<'a>,
    field: &'c Positioned<Field>,
}

/// A variable without a value.
struct Unknown;

/// Finds the field with this name, if it is selected once and outside fragments.
pub(crate) fn only<'c, 'a>(ctx: &'c Context<'a>, name: &str) -> Option<RequestedField<'c, 'a>> {
    let items = &ctx.item.node.selection_set.node.items;
    let mut found = items.iter().filter_map(|selection| match &selection.node {
        Selection::Field(field) if field.node.name.node.as_str() == name => Some(field),
        _ => None,
    });
    let field = found.next().filter(|_| found.next().is_none())?;
    Some(RequestedField { ctx, field })
}

impl RequestedField<'_, '_> {
    /// The value of an argument, if it is given.
    fn value(self, name: &str) -> Result<Option<Value>, Unknown> {
        let variables = &self.ctx.query_env.variables;
        let value = self.field.node.get_argument(name).map(|value| {
            let value = value.node.clone();
            value.into_const_with(|name| variables.get(&name).cloned().ok_or(Unknown))
        });
        value.transpose()
    }

    /// The parsed value of an argument; none where it is invalid.
    pub(crate) fn argument<T: InputType>(self, name: &str) -> Option<T> {
        T::parse(self.value(name).ok()?).ok()
    }

    /// The arguments of a page.
    pub(crate) fn page_arguments(self) -> Option<Both> {
        Some(Both {
            first: self.argument("first")?,
            after: self.argument("after")?,
            last: self.argument("last")?,
            before: self.argument("before")?,
        })
    }

    /// Whether this argument is absent or null.
    pub(crate) fn is_without(self, name: &str) -> bool {
        matches!(self.value(name), Ok(None | Some(Value::Null)))
    }

    /// The plan of its lists.
    pub(crate) fn plan<E: PlannedObject, N: PlannedObject>(
        self,
    ) -> Option<Arc<ConnectionPlan<E, N>>> {
        ConnectionPlan::of(self.ctx, self.field)
    }
}
