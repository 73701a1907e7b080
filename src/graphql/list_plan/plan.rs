//! How to serialise the selected fields of an object.

use async_graphql::{
    Name, OutputType, Value,
    parser::types::{Field, Selection},
};

use super::{FieldSelection, LoadedValues, PendingKeys};
use crate::graphql::{errors::FieldError, loaders::LoaderHandle};

/// The expected size of a serialised item.
const ITEM_BYTES: usize = 256;

/// An object of which some fields can be serialised without the executor.
pub trait PlannedObject: OutputType + Sized + 'static {
    /// The type of the columns that its fields read.
    type Column: Copy + Send + Sync + 'static;

    /// The fields that can be serialised.
    const FIELDS: &'static [FieldRow<Self>] = &[];

    /// Whether the parents of the messages in a list of this edge are visible, as in [`FieldSelection`].
    const ANCESTORS_VISIBLE: bool = false;

    /// Provides itself for the pending keys that it is the value of.
    fn provide(&self, _pending: &mut PendingKeys, _loaded: &mut LoadedValues<'_>) {}
}

/// One field of an object: its name, the columns that it reads, and how.
pub struct FieldRow<T: PlannedObject> {
    name: &'static str,
    columns: &'static [T::Column],
    kind: FieldKind<T>,
}

/// Plans a nested field with the selection within it.
type PlanNested<T> = fn(FieldSelection<'_>) -> Option<Box<dyn NestedField<T>>>;

enum FieldKind<T> {
    Value(fn(&T) -> Value),
    Nested(PlanNested<T>),
}

/// A field that needs nothing but the object.
pub const fn value<T: PlannedObject>(
    name: &'static str,
    columns: &'static [T::Column],
    read: fn(&T) -> Value,
) -> FieldRow<T> {
    let kind = FieldKind::Value(read);
    FieldRow {
        name,
        columns,
        kind,
    }
}

/// A field that needs loaded values, or that is an object.
pub const fn nested<T: PlannedObject>(
    name: &'static str,
    columns: &'static [T::Column],
    plan: PlanNested<T>,
) -> FieldRow<T> {
    let kind = FieldKind::Nested(plan);
    FieldRow {
        name,
        columns,
        kind,
    }
}

/// A field that needs loaded values, or that is an object.
pub trait NestedField<T>: Send + Sync {
    /// Adds the keys that have to be loaded next.
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys);

    /// Writes the value, once everything is loaded.
    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json);
}

/// JSON text.
pub type Json = Vec<u8>;

/// Writes a value. The buffer grows, and every GraphQL value has a JSON form, so this cannot fail.
pub(super) fn write(out: &mut Json, value: &Value) {
    let _ = serde_json::to_writer(out, value);
}

enum FieldPlan<T> {
    TypeName,
    Value(fn(&T) -> Value),
    Nested(Box<dyn NestedField<T>>),
}

/// How to serialise the selected fields of an object. Each has its response key and the text before its value.
pub struct Plan<T> {
    fields: Vec<(Name, String, FieldPlan<T>)>,
}

impl<T: PlannedObject> Plan<T> {
    /// Plans a selection; none where it needs the executor.
    #[must_use]
    pub fn new(set: FieldSelection<'_>) -> Option<Self> {
        let mut plan = Self { fields: Vec::new() };
        plan.add(set)?;
        Some(plan)
    }

    fn add(&mut self, set: FieldSelection<'_>) -> Option<()> {
        let type_name = T::type_name();
        for selection in &set.fields.items {
            let fields = match &selection.node {
                Selection::Field(field) => {
                    self.add_field(&field.node, set)?;
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &set.fragments.get(&spread.node.fragment_name.node)?.node;
                    let applies = fragment.type_condition.node.on.node.as_str() == type_name;
                    (applies && spread.node.directives.is_empty())
                        .then_some(&fragment.selection_set)
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let applies = condition
                        .is_none_or(|condition| condition.node.on.node.as_str() == type_name);
                    (applies && inline.node.directives.is_empty())
                        .then_some(&inline.node.selection_set)
                }
            };
            self.add(set.replace(&fields?.node))?;
        }
        Some(())
    }

    fn add_field(&mut self, field: &Field, set: FieldSelection<'_>) -> Option<()> {
        let key = &field.response_key().node;
        // The executor merges a field that is selected twice.
        let is_new = self.fields.iter().all(|(known, ..)| known != key);
        if !(is_new && field.directives.is_empty() && field.arguments.is_empty()) {
            return None;
        }
        let name = field.name.node.as_str();
        let plan = if name == "__typename" {
            FieldPlan::TypeName
        } else {
            let row = T::FIELDS.iter().find(|row| row.name == name)?;
            set.required_columns.borrow_mut().add(row.columns);
            match row.kind {
                FieldKind::Value(read) => FieldPlan::Value(read),
                FieldKind::Nested(plan) => FieldPlan::Nested(plan(set.within(field))?),
            }
        };
        // GraphQL names need no escapes.
        let comma = if self.fields.is_empty() { "" } else { "," };
        let before = format!("{comma}\"{key}\":");
        self.fields.push((key.clone(), before, plan));
        Some(())
    }

    pub(super) fn collect_keys(
        &self,
        of: &T,
        loaded: &LoadedValues<'_>,
        pending: &mut PendingKeys,
    ) {
        for (.., field) in &self.fields {
            if let FieldPlan::Nested(field) = field {
                field.collect_keys(of, loaded, pending);
            }
        }
    }

    pub(super) fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        out.push(b'{');
        for (_, before, field) in &self.fields {
            out.extend_from_slice(before.as_bytes());
            match field {
                FieldPlan::TypeName => write(out, &Value::String(T::type_name().into_owned())),
                FieldPlan::Value(read) => write(out, &read(of)),
                FieldPlan::Nested(field) => field.write(of, loaded, out),
            }
        }
        out.push(b'}');
    }

    /// Loads what the items need, one level after the other, and serialises them.
    pub(super) async fn write_list(
        &self,
        items: &[&T],
        mut loaded: LoadedValues<'_>,
        loaders: LoaderHandle<'_>,
    ) -> Result<Json, FieldError> {
        let mut pending = PendingKeys::default();
        loop {
            for item in items {
                self.collect_keys(item, &loaded, &mut pending);
            }
            if pending.is_empty() {
                break;
            }
            for item in items {
                item.provide(&mut pending, &mut loaded);
            }
            pending.load(&mut loaded, loaders).await?;
        }
        let mut out = Json::with_capacity(items.len() * ITEM_BYTES + 2);
        out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write(item, &loaded, &mut out);
        }
        out.push(b']');
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
        let text = format!("{{ {fields} }} fragment Known on Message {{ id }}");
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let set = FieldSelection {
            fields: &operation.node.selection_set.node,
            fragments: &document.fragments,
            required_columns: &RefCell::default(),
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
            "...Known ... on Message { body } ... { depth }",
        ] {
            assert!(has_plan(fields), "{fields}");
        }
    }

    #[test]
    fn everything_else_needs_the_executor() {
        for fields in [
            "viewerCanEdit",
            "id id",
            "body @include(if: true)",
            "sender { bio }",
            "parent { sender { bio } }",
            "replies(first: 1) { nodes { id } }",
            "... on Node { id }",
            "... @include(if: true) { id }",
        ] {
            assert!(!has_plan(fields), "{fields}");
        }
    }
}
