//! Lists that are told at once: where all that is asked of the items is at hand or found by one look for all of
//! them, they are written down one after the other, without a future for each field of each item. Whatever else is
//! asked goes the ordinary way, and says the same.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::Hash,
};

use async_graphql::{
    ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value,
    dataloader::Loader,
    indexmap::IndexMap,
    parser::types::{Field, FragmentDefinition, Selection, SelectionSet},
    registry::Registry,
    resolver_utils::resolve_list,
};
use futures_util::try_join;

use crate::graphql::{
    batch::{Batch, Once},
    context::{app, once},
    errors::Refusal,
    messages::{loader::MessageKey, types::Message},
    users::{loader::UserKey, types::User},
};

/// An object of which some fields are told without waiting. What is not named is told the ordinary way.
pub trait Plain: OutputType + Sized + 'static {
    /// How a field that needs nothing else is told.
    #[must_use]
    fn leaf(_name: &str) -> Option<fn(&Self) -> Value> {
        None
    }

    /// How a field with an object inside is told.
    #[must_use]
    fn inside(_name: &str, _set: Set<'_>) -> Option<Box<dyn Inside<Self>>> {
        None
    }
}

/// A field with an object inside.
pub trait Inside<T>: Send + Sync {
    /// What has to be looked up first.
    fn needs(&self, of: &T, needs: &mut Needs);

    /// Its value, once that was found.
    fn tell(&self, of: &T, found: &Found) -> Value;
}

/// What is asked of an object.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    asked: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
}

impl Set<'_> {
    /// How to tell it, if it can be told at once.
    #[must_use]
    pub fn plan<T: Plain>(self) -> Option<Plan<T>> {
        let mut plan = Plan { fields: Vec::new() };
        plan.add(self)?;
        Some(plan)
    }
}

enum Cell<T> {
    TypeName,
    Leaf(fn(&T) -> Value),
    Inside(Box<dyn Inside<T>>),
}

/// How to tell what is asked of an object.
pub struct Plan<T> {
    fields: Vec<(Name, Cell<T>)>,
}

impl<T: Plain> Plan<T> {
    fn add(&mut self, set: Set<'_>) -> Option<()> {
        let type_name = T::type_name();
        for selection in &set.asked.items {
            let within = match &selection.node {
                Selection::Field(field) => {
                    self.add_field(&field.node, set)?;
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &set.fragments.get(&spread.node.fragment_name.node)?.node;
                    let is_ours = fragment.type_condition.node.on.node.as_str() == type_name;
                    (is_ours && spread.node.directives.is_empty())
                        .then_some(&fragment.selection_set)
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let is_ours = condition
                        .is_none_or(|condition| condition.node.on.node.as_str() == type_name);
                    (is_ours && inline.node.directives.is_empty())
                        .then_some(&inline.node.selection_set)
                }
            };
            self.add(Set {
                asked: &within?.node,
                ..set
            })?;
        }
        Some(())
    }

    fn add_field(&mut self, field: &Field, set: Set<'_>) -> Option<()> {
        let key = &field.response_key().node;
        // What is asked twice is to be merged.
        let is_new = self.fields.iter().all(|(known, _)| known != key);
        if !(is_new && field.directives.is_empty() && field.arguments.is_empty()) {
            return None;
        }
        let name = field.name.node.as_str();
        let cell = match T::leaf(name) {
            _ if name == "__typename" => Cell::TypeName,
            Some(leaf) => Cell::Leaf(leaf),
            None => Cell::Inside(T::inside(
                name,
                Set {
                    asked: &field.selection_set.node,
                    ..set
                },
            )?),
        };
        self.fields.push((key.clone(), cell));
        Some(())
    }

    /// Whether nothing has to be looked up.
    fn is_at_hand(&self) -> bool {
        let is_inside = |cell: &Cell<T>| matches!(cell, Cell::Inside(_));
        !self.fields.iter().any(|(_, cell)| is_inside(cell))
    }

    fn needs(&self, of: &T, needs: &mut Needs) {
        for (_, cell) in &self.fields {
            if let Cell::Inside(inside) = cell {
                inside.needs(of, needs);
            }
        }
    }

    fn tell(&self, of: &T, found: &Found) -> Value {
        let mut object = IndexMap::with_capacity(self.fields.len());
        for (key, cell) in &self.fields {
            let value = match cell {
                Cell::TypeName => Value::String(T::type_name().into_owned()),
                Cell::Leaf(leaf) => leaf(of),
                Cell::Inside(inside) => inside.tell(of, found),
            };
            object.insert(key.clone(), value);
        }
        Value::Object(object)
    }

    async fn tell_all(&self, items: &[T], batch: Once<'_>) -> Result<Value, Refusal> {
        let mut needs = Needs::default();
        for item in items {
            self.needs(item, &mut needs);
        }
        let found = needs.find(batch).await?;
        Ok(Value::List(
            items.iter().map(|item| self.tell(item, &found)).collect(),
        ))
    }
}

/// What has to be looked up for all items.
#[derive(Debug, Default)]
pub struct Needs {
    users: HashSet<UserKey>,
    messages: HashSet<MessageKey>,
}

impl Needs {
    /// Together with other lists of the same request: each item of a list may have one.
    async fn find(self, batch: Once<'_>) -> Result<Found, Refusal> {
        let (users, messages) =
            try_join!(look_up(batch, self.users), look_up(batch, self.messages))?;
        Ok(Found { users, messages })
    }
}

async fn look_up<K>(
    batch: Once<'_>,
    keys: HashSet<K>,
) -> Result<HashMap<K, <Batch as Loader<K>>::Value>, Refusal>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Batch: Loader<K, Error = Refusal>,
{
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    batch.load_many(keys).await
}

/// What was looked up, as far as the viewer may see it.
#[derive(Debug)]
pub struct Found {
    users: HashMap<UserKey, User>,
    messages: HashMap<MessageKey, Message>,
}

/// An object that is a part of the item.
pub struct Part<T, U> {
    of: fn(&T) -> &U,
    plan: Plan<U>,
}

impl<T, U: Plain> Part<T, U> {
    /// This part, and what is asked of it.
    pub fn new(of: fn(&T) -> &U, set: Set<'_>) -> Option<Self> {
        let plan = set.plan()?;
        Some(Self { of, plan })
    }
}

impl<T, U: Plain> Inside<T> for Part<T, U> {
    fn needs(&self, of: &T, needs: &mut Needs) {
        self.plan.needs((self.of)(of), needs);
    }

    fn tell(&self, of: &T, found: &Found) -> Value {
        self.plan.tell((self.of)(of), found)
    }
}

/// An object that the item names by its key, looked up for all items together.
pub struct Named<T, K, U> {
    of: fn(&T) -> Option<K>,
    /// All that is asked of it is at hand.
    plan: Plan<U>,
    needed: fn(&mut Needs) -> &mut HashSet<K>,
    found: fn(&Found) -> &HashMap<K, U>,
}

impl<T> Named<T, UserKey, User> {
    /// This person, and what is asked of them.
    pub fn person(of: fn(&T) -> Option<UserKey>, set: Set<'_>) -> Option<Self> {
        Some(Self {
            of,
            plan: set.plan().filter(Plan::is_at_hand)?,
            needed: |needs| &mut needs.users,
            found: |found| &found.users,
        })
    }
}

impl<T> Named<T, MessageKey, Message> {
    /// This message, and what is asked of it.
    pub fn message(of: fn(&T) -> Option<MessageKey>, set: Set<'_>) -> Option<Self> {
        Some(Self {
            of,
            plan: set.plan().filter(Plan::is_at_hand)?,
            needed: |needs| &mut needs.messages,
            found: |found| &found.messages,
        })
    }
}

impl<T, K: Eq + Hash, U: Plain> Inside<T> for Named<T, K, U> {
    fn needs(&self, of: &T, needs: &mut Needs) {
        (self.needed)(needs).extend((self.of)(of));
    }

    fn tell(&self, of: &T, found: &Found) -> Value {
        let named = (self.of)(of).and_then(|key| (self.found)(found).get(&key));
        named.map_or(Value::Null, |named| self.plan.tell(named, found))
    }
}

/// A list of a page, told at once where that is possible.
#[derive(Clone, Debug)]
pub struct Listed<T>(pub Vec<T>);

impl<T: Plain> OutputType for Listed<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        if let Some(value) = self.at_once(ctx).await {
            return Ok(value);
        }
        resolve_list(ctx, field, &self.0, Some(self.0.len())).await
    }
}

impl<T: Plain> Listed<T> {
    /// None where it is to be told the ordinary way, which also tells what went wrong.
    async fn at_once(&self, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
        if !app(ctx).config.lists_at_once {
            return None;
        }
        let set = Set {
            asked: &ctx.item.node,
            fragments: &ctx.query_env.fragments,
        };
        let plan = set.plan::<T>()?;
        plan.tell_all(&self.0, once(ctx)).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn is_plain(inside: &str) -> bool {
        let text = format!("{{ {inside} }} fragment Known on Message {{ id }}");
        let document = parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let set = Set {
            asked: &operation.node.selection_set.node,
            fragments: &document.fragments,
        };
        set.plan::<Message>().is_some()
    }

    #[test]
    fn what_is_at_hand_is_told_at_once() {
        for inside in [
            "id body createdAt replyCount sender { id displayName } parent { id }",
            "mine: id __typename other: body",
            "...Known ... on Message { body } ... { depth }",
        ] {
            assert!(is_plain(inside), "{inside}");
        }
    }

    #[test]
    fn all_else_goes_the_ordinary_way() {
        for inside in [
            "viewerHasRead",
            "id id",
            "body @include(if: true)",
            "sender { bio }",
            "parent { sender { id } }",
            "replies(first: 1) { nodes { id } }",
            "... on Node { id }",
            "... @include(if: true) { id }",
        ] {
            assert!(!is_plain(inside), "{inside}");
        }
    }
}
