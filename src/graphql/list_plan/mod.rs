//! Lists that are told at once: where all that is asked of the items is at hand or found by one look for all of
//! them at each level, they are written down one after the other, without a future for each field of each item.
//! Whatever else is asked goes the ordinary way, and says the same.

mod columns;
mod list;
mod preload;

use std::{borrow::Cow, cell::RefCell, collections::HashMap};

use async_graphql::{
    Name, OutputType, Positioned, Value,
    parser::types::{Field, FragmentDefinition, Selection as QuerySelection, SelectionSet},
};

use crate::graphql::{errors::FieldError, loaders::LoaderHandle};
pub use columns::RequiredColumns;
pub(crate) use columns::{required_columns, required_columns_of};
pub use list::{PlannedList, Preloaded};
pub use preload::{LoadedValues, PendingKeys, PreloadKey};

/// What an item of a list takes, roughly, when it is written down.
const ITEM_BYTES: usize = 256;

/// An object of which some fields are told without waiting. What is not named is told the ordinary way.
pub trait PlannedObject: OutputType + Sized + 'static {
    /// How a field that needs nothing else is told.
    #[must_use]
    fn leaf(_name: &str) -> Option<fn(&Self) -> Value> {
        None
    }

    /// How a field is told that needs something else, or has an object inside.
    #[must_use]
    fn inside(_name: &str, _set: Selection<'_>) -> Option<Box<dyn NestedField<Self>>> {
        None
    }

    /// The columns that telling a field takes, by its name.
    fn required_columns(_name: &str, _takes: &mut RequiredColumns) {}

    /// Answers what is wanted as far as this object is the answer.
    fn answer<'a>(&'a self, _wanted: &mut PendingKeys, _found: &mut LoadedValues<'a>) {}
}

/// A field that needs something else, or has an object inside.
pub trait NestedField<T>: Send + Sync {
    /// What has to be looked up for it, after what was.
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys);

    /// Writes its value down, once all was looked up.
    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json);
}

/// What is asked of an object.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    asked: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// What plans take, all together.
    required_columns: &'a RefCell<RequiredColumns>,
    /// Whether the messages are of a thread's list. Then their parents, to the root, are visible and shown as they are:
    /// nobody sees a thread without its root, all else in it came later, and what has replies is shown.
    ancestors_visible: bool,
}

impl Selection<'_> {
    /// The same of something that is not of the list.
    #[must_use]
    pub fn without_ancestors(self) -> Self {
        Self {
            ancestors_visible: false,
            ..self
        }
    }

    /// Whether it is about parents in a thread's list, and only asks which they are.
    #[must_use]
    pub fn asks_which_parent(self) -> bool {
        let is_id = |selection: &Positioned<QuerySelection>| match &selection.node {
            QuerySelection::Field(field) => {
                ["id", "__typename"].contains(&field.node.name.node.as_str())
            }
            _ => false,
        };
        self.ancestors_visible && self.asked.items.iter().all(is_id)
    }

    /// How to tell it, if it can be told at once.
    #[must_use]
    pub fn plan<T: PlannedObject>(self) -> Option<Plan<T>> {
        let mut plan = Plan { fields: Vec::new() };
        plan.add(self)?;
        Some(plan)
    }
}

enum Cell<T> {
    TypeName,
    Leaf(fn(&T) -> Value),
    NestedField(Box<dyn NestedField<T>>),
}

/// How to tell what is asked of an object. Each field with what stands before its value.
pub struct Plan<T> {
    fields: Vec<(Name, String, Cell<T>)>,
}

/// JSON, as far as it is written.
pub type Json = Vec<u8>;

/// Writes a value down. There is always room, and no value of ours is without a form.
fn write(out: &mut Json, value: &Value) {
    let _ = serde_json::to_writer(out, value);
}

impl<T: PlannedObject> Plan<T> {
    fn add(&mut self, set: Selection<'_>) -> Option<()> {
        let type_name = T::type_name();
        for selection in &set.asked.items {
            let within = match &selection.node {
                QuerySelection::Field(field) => {
                    self.add_field(&field.node, set)?;
                    continue;
                }
                QuerySelection::FragmentSpread(spread) => {
                    let fragment = &set.fragments.get(&spread.node.fragment_name.node)?.node;
                    let is_ours = fragment.type_condition.node.on.node.as_str() == type_name;
                    (is_ours && spread.node.directives.is_empty())
                        .then_some(&fragment.selection_set)
                }
                QuerySelection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let is_ours = condition
                        .is_none_or(|condition| condition.node.on.node.as_str() == type_name);
                    (is_ours && inline.node.directives.is_empty())
                        .then_some(&inline.node.selection_set)
                }
            };
            self.add(Selection {
                asked: &within?.node,
                ..set
            })?;
        }
        Some(())
    }

    fn add_field(&mut self, field: &Field, set: Selection<'_>) -> Option<()> {
        let key = &field.response_key().node;
        // What is asked twice is to be merged.
        let is_new = self.fields.iter().all(|(known, ..)| known != key);
        if !(is_new && field.directives.is_empty() && field.arguments.is_empty()) {
            return None;
        }
        let name = field.name.node.as_str();
        let cell = match T::leaf(name) {
            _ if name == "__typename" => Cell::TypeName,
            Some(leaf) => Cell::Leaf(leaf),
            None => Cell::NestedField(T::inside(
                name,
                Selection {
                    asked: &field.selection_set.node,
                    ..set
                },
            )?),
        };
        T::required_columns(name, &mut set.required_columns.borrow_mut());
        // Names need no escapes.
        let comma = if self.fields.is_empty() { "" } else { "," };
        let before = format!("{comma}\"{key}\":");
        self.fields.push((key.clone(), before, cell));
        Some(())
    }

    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        for (.., cell) in &self.fields {
            if let Cell::NestedField(inside) = cell {
                inside.collect_keys(of, loaded, pending);
            }
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        out.push(b'{');
        for (_, before, cell) in &self.fields {
            out.extend_from_slice(before.as_bytes());
            match cell {
                Cell::TypeName => write(out, &Value::String(T::type_name().into_owned())),
                Cell::Leaf(leaf) => write(out, &leaf(of)),
                Cell::NestedField(inside) => inside.write(of, loaded, out),
            }
        }
        out.push(b'}');
    }

    async fn write_list(
        &self,
        items: &[&T],
        at_hand: &Preloaded,
        loaders: LoaderHandle<'_>,
    ) -> Result<Json, FieldError> {
        let (mut pending, mut loaded) = (PendingKeys::default(), LoadedValues::default());
        loaded.people(&at_hand.people);
        loaded.places(&at_hand.places);
        loop {
            for item in items {
                self.collect_keys(item, &loaded, &mut pending);
            }
            if pending.is_empty() {
                break;
            }
            for item in items {
                item.answer(&mut pending, &mut loaded);
            }
            pending.look_up(&mut loaded, loaders).await?;
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

/// An object that is a part of the item.
pub struct ChildObject<T, U> {
    of: fn(&T) -> &U,
    plan: Plan<U>,
}

impl<T, U: PlannedObject> ChildObject<T, U> {
    /// This part, and what is asked of it.
    pub fn new(of: fn(&T) -> &U, set: Selection<'_>) -> Option<Self> {
        let plan = set.plan()?;
        Some(Self { of, plan })
    }
}

impl<T, U: PlannedObject> NestedField<T> for ChildObject<T, U> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        self.plan.collect_keys((self.of)(of), loaded, pending);
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        self.plan.write((self.of)(of), loaded, out);
    }
}

/// An object that is made from the item, or none.
pub struct ComputedObject<T, U> {
    of: fn(&T) -> Option<U>,
    plan: Plan<U>,
}

impl<T, U: PlannedObject> ComputedObject<T, U> {
    /// This object, and what is asked of it.
    pub fn new(of: fn(&T) -> Option<U>, set: Selection<'_>) -> Option<Self> {
        let plan = set.plan()?;
        Some(Self { of, plan })
    }
}

impl<T, U: PlannedObject> NestedField<T> for ComputedObject<T, U> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        if let Some(object) = (self.of)(of) {
            self.plan.collect_keys(&object, loaded, pending);
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        match (self.of)(of) {
            Some(object) => self.plan.write(&object, loaded, out),
            None => write(out, &Value::Null),
        }
    }
}

/// An object that is the answer to a question about the item, looked up for all items together.
pub struct LoadedObject<T, K: PreloadKey, U: Clone> {
    of: fn(&T) -> Option<K>,
    object: for<'a> fn(&'a T, &'a K::Answer) -> Option<Cow<'a, U>>,
    plan: Plan<U>,
}

impl<T, K: PreloadKey, U: PlannedObject + Clone> LoadedObject<T, K, U> {
    /// The object made from the answer to this question, and what is asked of it.
    pub fn new(
        of: fn(&T) -> Option<K>,
        object: for<'a> fn(&'a T, &'a K::Answer) -> Option<Cow<'a, U>>,
        set: Selection<'_>,
    ) -> Option<Self> {
        let plan = set.plan()?;
        Some(Self { of, object, plan })
    }
}

impl<T, K: PreloadKey<Answer = U>, U: PlannedObject + Clone> LoadedObject<T, K, U> {
    /// The object that is the answer, and what is asked of it.
    pub fn by(of: fn(&T) -> Option<K>, set: Selection<'_>) -> Option<Self> {
        Self::new(of, |_, answer| Some(Cow::Borrowed(answer)), set)
    }
}

impl<T, K: PreloadKey, U: PlannedObject + Clone> NestedField<T> for LoadedObject<T, K, U> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        let Some(key) = (self.of)(of) else { return };
        match K::loaded(loaded).get(&key) {
            Some(Some(answer)) => {
                if let Some(object) = (self.object)(of, answer) {
                    self.plan.collect_keys(&object, loaded, pending);
                }
            }
            Some(None) => {}
            None => drop(K::pending(pending).insert(key)),
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        let answer = (self.of)(of).and_then(|key| K::loaded(loaded).get(&key)?.as_deref());
        match answer.and_then(|answer| (self.object)(of, answer)) {
            Some(object) => self.plan.write(&object, loaded, out),
            None => write(out, &Value::Null),
        }
    }
}

/// A value that is made from the answer to a question about the item, looked up for all items together.
pub struct LoadedValue<T, K: PreloadKey> {
    of: fn(&T) -> Option<K>,
    write: fn(&T, Option<&K::Answer>) -> Value,
}

impl<T, K: PreloadKey> LoadedValue<T, K> {
    /// How the answer to this question is told, or that there is none.
    #[must_use]
    pub fn new(of: fn(&T) -> Option<K>, write: fn(&T, Option<&K::Answer>) -> Value) -> Self {
        Self { of, write }
    }
}

impl<T, K: PreloadKey> NestedField<T> for LoadedValue<T, K> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        if let Some(key) = (self.of)(of)
            && !K::loaded(loaded).contains_key(&key)
        {
            K::pending(pending).insert(key);
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        let answer = (self.of)(of).and_then(|key| K::loaded(loaded).get(&key)?.as_deref());
        write(out, &(self.write)(of, answer));
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use crate::graphql::messages::types::Message;

    fn is_plain(inside: &str) -> bool {
        let text = format!("{{ {inside} }} fragment Known on Message {{ id }}");
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let set = Selection {
            asked: &operation.node.selection_set.node,
            fragments: &document.fragments,
            required_columns: &RefCell::default(),
            ancestors_visible: false,
        };
        set.plan::<Message>().is_some()
    }

    #[test]
    fn what_is_at_hand_is_told_at_once() {
        for inside in [
            "id body createdAt replyCount sender { id displayName } parent { id }",
            "viewerHasRead mentionsViewer parent { sender { id } }",
            "thread { id replyCount lastReply { body sender { username } } viewerUnreadCount }",
            "mine: id __typename other: body",
            "...Known ... on Message { body } ... { depth }",
        ] {
            assert!(is_plain(inside), "{inside}");
        }
    }

    #[test]
    fn all_else_goes_the_ordinary_way() {
        for inside in [
            "viewerCanEdit",
            "id id",
            "body @include(if: true)",
            "sender { bio }",
            "parent { sender { bio } }",
            "replies(first: 1) { nodes { id } }",
            "... on Node { id }",
            "... @include(if: true) { id }",
        ] {
            assert!(!is_plain(inside), "{inside}");
        }
    }
}
