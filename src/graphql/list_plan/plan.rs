//! How to serialise the selected fields of an object.

use std::ops::Range;

use async_graphql::{
    Name, OutputType,
    parser::types::{Field, Selection},
};
use futures_util::future::{BoxFuture, try_join_all};
use serde::Serialize;

use super::{FieldSelection, ListValues};
use crate::graphql::errors::FieldError;

/// The expected size of a serialised item.
const ITEM_BYTES: usize = 256;

/// JSON text.
pub type Json = Vec<u8>;

/// Writes a value. The buffer grows, and every value of a field has a JSON form, so this cannot fail.
pub fn write(out: &mut Json, value: &(impl Serialize + ?Sized)) {
    let _ = serde_json::to_writer(out, value);
}

/// An object of which some fields can be serialised without the executor.
pub trait PlannedObject: OutputType + Sized + 'static {
    /// Whether the parents of the messages in a list of this edge are visible, as in [`FieldSelection`].
    const ANCESTORS_VISIBLE: bool = false;

    /// Plans the field of this name with the selection within it; none where it needs the executor.
    #[must_use]
    fn field(_name: &str, _within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        None
    }
}

/// An object that contains a row of this model.
pub trait Part<M> {
    /// The row.
    fn part(&self) -> &M;
}

/// How to serialise a field.
pub enum FieldPlan<T> {
    /// The name of the type.
    TypeName,
    /// A field that needs nothing but the object.
    Value(fn(&T, &mut Json)),
    /// A field that needs loaded values, or that is an object.
    Nested(Nested<T>),
}

/// Serialises a field of all items of a list together.
pub(super) type Nested<T> = Box<
    dyn for<'a> Fn(&'a [&'a T], &'a ListValues<'a>) -> BoxFuture<'a, Result<Column, FieldError>>
        + Send
        + Sync,
>;

/// The serialised values of a field, one for each item of a list.
#[derive(Default)]
pub struct Column {
    json: Json,
    values: Vec<Range<usize>>,
}

impl Column {
    /// Adds a value.
    pub fn push(&mut self, write: impl FnOnce(&mut Json)) {
        let start = self.json.len();
        write(&mut self.json);
        self.values.push(start..self.json.len());
    }

    /// The values at these indexes, and null where there is none.
    pub(super) fn pick(mut self, indexes: impl Iterator<Item = Option<usize>>) -> Self {
        let start = self.json.len();
        self.json.extend_from_slice(b"null");
        let null = start..self.json.len();
        let value = |index: usize| self.values.get(index).cloned();
        let values = indexes.map(|index| index.and_then(value).unwrap_or_else(|| null.clone()));
        self.values = values.collect();
        self
    }

    /// The values as a list, if a plan wrote them.
    pub(super) fn into_list(mut self) -> Json {
        self.json.push(b']');
        self.json
    }

    /// The size of the values so far, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.json.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        let value = |range: &Range<usize>| self.json.get(range.clone()).unwrap_or_default();
        self.values.iter().map(value)
    }
}

/// How to serialise the selected fields of an object. Each has its response key and the text before its value.
pub struct Plan<T> {
    fields: Vec<(Name, String, FieldPlan<T>)>,
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self { fields: vec![] }
    }
}

impl<T: PlannedObject> Plan<T> {
    /// Plans a selection; none where it needs the executor.
    #[must_use]
    pub fn new(set: FieldSelection<'_>) -> Option<Self> {
        let mut plan = Self::default();
        plan.add(set)?;
        Some(plan)
    }

    fn add(&mut self, set: FieldSelection<'_>) -> Option<()> {
        for selection in &set.fields.items {
            // The guard leaves a fragment only where it may not apply.
            let Selection::Field(field) = &selection.node else {
                return None;
            };
            self.add_field(&field.node, set)?;
        }
        Some(())
    }

    fn add_field(&mut self, field: &Field, set: FieldSelection<'_>) -> Option<()> {
        let key = &field.response_key().node;
        if !field.arguments.is_empty() {
            return None;
        }
        let plan = match field.name.node.as_str() {
            "__typename" => FieldPlan::TypeName,
            name => T::field(name, set.within(field))?,
        };
        // GraphQL names need no escapes.
        let before = format!(
            "{}\"{key}\":",
            if self.fields.is_empty() { "" } else { "," }
        );
        self.fields.push((key.clone(), before, plan));
        Some(())
    }

    /// Serialises items, after the values of their nested fields are loaded.
    pub(super) async fn write(
        &self,
        items: &[&T],
        values: &ListValues<'_>,
    ) -> Result<Column, FieldError> {
        let nested = self.fields.iter().filter_map(|(.., field)| match field {
            FieldPlan::Nested(nested) => Some(nested(items, values)),
            _ => None,
        });
        let nested = try_join_all(nested).await?;
        let mut nested: Vec<_> = nested.iter().map(Column::values).collect();
        let mut out = Column::default();
        out.json.reserve(items.len() * ITEM_BYTES);
        // The brackets and commas of a list are between the values.
        out.json.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.json.push(b',');
            }
            out.push(|out| {
                let mut nested = nested.iter_mut();
                out.push(b'{');
                for (_, before, field) in &self.fields {
                    out.extend_from_slice(before.as_bytes());
                    match field {
                        FieldPlan::TypeName => write(out, T::type_name().as_ref()),
                        FieldPlan::Value(value) => value(item, out),
                        FieldPlan::Nested(_) => {
                            let value = nested.next().and_then(Iterator::next);
                            out.extend_from_slice(value.unwrap_or_default());
                        }
                    }
                }
                out.push(b'}');
            });
            values.check_size(out.size())?;
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use async_graphql::parser::parse_query;

    use super::*;
    use crate::graphql::messages::types::Message;

    fn has_plan(fields: &str) -> bool {
        let document = parse_query(format!("{{ {fields} }}")).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let set = FieldSelection {
            fields: &operation.node.selection_set.node,
            required: &RefCell::default(),
            ancestors_visible: false,
        };
        Plan::<Message>::new(set).is_some()
    }

    #[test]
    fn loaded_fields_are_planned() {
        for fields in [
            "id body createdAt replyCount sender { id displayName } parent { id }",
            "viewerHasRead mentionsViewer parent { sender { id } }",
            "thread { id replyCount lastReply { body sender { username } } viewerUnreadCount }",
            "mine: id __typename other: body",
        ] {
            assert!(has_plan(fields), "{fields}");
        }
    }

    #[test]
    fn everything_else_needs_the_executor() {
        for fields in [
            "viewerCanEdit",
            "sender { bio }",
            "parent { sender { bio } }",
            "replies(first: 1) { nodes { id } }",
            "... on Node { id }",
        ] {
            assert!(!has_plan(fields), "{fields}");
        }
    }
}
