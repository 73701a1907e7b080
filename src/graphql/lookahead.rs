//! What is asked inside a field before that is resolved, so that both are read by one statement. Whoever looks ahead
//! may be wrong: what was read for nothing costs its reading, and what was not is read when it is asked for.

use async_graphql::{
    Context, InputType, Positioned, Value,
    parser::types::{Field, Selection},
};

use crate::graphql::{
    list_plan::{self, PlannedObject, RequiredColumns},
    pagination::Both,
};

/// A field that is asked inside the one being resolved.
#[derive(Clone, Copy)]
pub(crate) struct RequestedField<'c, 'a> {
    ctx: &'c Context<'a>,
    field: &'c Positioned<Field>,
}

/// A variable that is not there.
struct Unknown;

/// The field of this name, if it stands there once, by itself.
pub(crate) fn only<'c, 'a>(ctx: &'c Context<'a>, name: &str) -> Option<RequestedField<'c, 'a>> {
    let items = &ctx.item.node.selection_set.node.items;
    let mut found = items.iter().filter_map(|selection| match &selection.node {
        Selection::Field(field) if field.node.name.node.as_str() == name => Some(field),
        _ => None,
    });
    let field = found.next().filter(|_| found.next().is_none())?;
    Some(RequestedField { ctx, field })
}

/// The columns to read of an object that has all these, when this is the field inside it that was looked for.
pub(crate) fn columns_beside(
    ctx: &Context<'_>,
    name: &str,
    all: &'static [&'static str],
) -> &'static [&'static str] {
    let is_told_by_id = |selection: &Positioned<Selection>| match &selection.node {
        Selection::Field(field) => {
            ["id", "__typename", name].contains(&field.node.name.node.as_str())
        }
        _ => false,
    };
    let mut asked = ctx.item.node.selection_set.node.items.iter();
    if asked.all(is_told_by_id) {
        &["id"]
    } else {
        all
    }
}

impl RequestedField<'_, '_> {
    /// What an argument is given, if anything.
    fn given(self, name: &str) -> Result<Option<Value>, Unknown> {
        let variables = &self.ctx.query_env.variables;
        let given = self.field.node.get_argument(name).map(|value| {
            let value = value.node.clone();
            value.into_const_with(|name| variables.get(&name).cloned().ok_or(Unknown))
        });
        given.transpose()
    }

    /// An argument's value; none where it is not one.
    pub(crate) fn argument<T: InputType>(self, name: &str) -> Option<T> {
        T::parse(self.given(name).ok()?).ok()
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
        matches!(self.given(name), Ok(None | Some(Value::Null)))
    }

    /// As [`list_plan::required_columns`] has it.
    pub(crate) fn required_columns<E: PlannedObject, N: PlannedObject>(
        self,
        ancestors_visible: bool,
    ) -> Option<RequiredColumns> {
        list_plan::required_columns_of::<E, N>(self.ctx, self.field, ancestors_visible)
    }
}
