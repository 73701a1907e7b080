//! Lists that are told at once: where all that is asked of the items is at hand or found by one look for all of
//! them at each level, they are written down one after the other, without a future for each field of each item.
//! Whatever else is asked goes the ordinary way, and says the same.

mod looked_up;
mod takes;

use std::{borrow::Cow, cell::RefCell, collections::HashMap, sync::Arc};

use async_graphql::{
    ContextSelectionSet, Error, Name, OutputType, Positioned, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::{Field, FragmentDefinition, Selection, SelectionSet},
    registry::Registry,
    resolver_utils::resolve_list,
};

use crate::{
    entity::participant,
    graphql::{
        batch::Loaders,
        context::{app, once},
        errors::Refusal,
        users::{loader::UserKey, types::User},
    },
};
pub use looked_up::{Found, Question, Wanted};
pub use takes::Takes;
pub(crate) use takes::{takes, takes_of};

/// An object of which some fields are told without waiting. What is not named is told the ordinary way.
pub trait Plain: OutputType + Sized + 'static {
    /// How a field that needs nothing else is told.
    #[must_use]
    fn leaf(_name: &str) -> Option<fn(&Self) -> Value> {
        None
    }

    /// How a field is told that needs something else, or has an object inside.
    #[must_use]
    fn inside(_name: &str, _set: Set<'_>) -> Option<Box<dyn Inside<Self>>> {
        None
    }

    /// The columns that telling a field takes, by its name.
    fn takes(_name: &str, _takes: &mut Takes) {}

    /// Answers what is wanted as far as this object is the answer.
    fn answer<'a>(&'a self, _wanted: &mut Wanted, _found: &mut Found<'a>) {}
}

/// A field that needs something else, or has an object inside.
pub trait Inside<T>: Send + Sync {
    /// What has to be looked up for it, after what was.
    fn ask(&self, of: &T, found: &Found<'_>, wanted: &mut Wanted);

    /// Its value, once all was looked up.
    fn tell(&self, of: &T, found: &Found<'_>) -> Value;
}

/// What is asked of an object.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    asked: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// What plans take, all together.
    takes: &'a RefCell<Takes>,
    /// Whether the messages are of a thread's list. Then their parents, to the root, are visible and shown as they are:
    /// nobody sees a thread without its root, all else in it came later, and what has replies is shown.
    lineage: bool,
}

impl Set<'_> {
    /// The same of something that is not of the list.
    #[must_use]
    pub fn apart(self) -> Self {
        Self {
            lineage: false,
            ..self
        }
    }

    /// Whether it is about parents in a thread's list, and only asks which they are.
    #[must_use]
    pub fn asks_which_parent(self) -> bool {
        let is_id = |selection: &Positioned<Selection>| match &selection.node {
            Selection::Field(field) => {
                ["id", "__typename"].contains(&field.node.name.node.as_str())
            }
            _ => false,
        };
        self.lineage && self.asked.items.iter().all(is_id)
    }

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
        T::takes(name, &mut set.takes.borrow_mut());
        self.fields.push((key.clone(), cell));
        Some(())
    }

    fn ask(&self, of: &T, found: &Found<'_>, wanted: &mut Wanted) {
        for (_, cell) in &self.fields {
            if let Cell::Inside(inside) = cell {
                inside.ask(of, found, wanted);
            }
        }
    }

    fn tell(&self, of: &T, found: &Found<'_>) -> Value {
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

    async fn tell_all(
        &self,
        items: &[&T],
        at_hand: &AtHand,
        loaders: Loaders<'_>,
    ) -> Result<Value, Refusal> {
        let (mut wanted, mut found) = (Wanted::default(), Found::default());
        found.people(&at_hand.people);
        found.places(&at_hand.places);
        loop {
            for item in items {
                self.ask(item, &found, &mut wanted);
            }
            if wanted.is_empty() {
                break;
            }
            for item in items {
                item.answer(&mut wanted, &mut found);
            }
            wanted.look_up(&mut found, loaders).await?;
        }
        let told = items.iter().map(|item| self.tell(item, &found));
        Ok(Value::List(told.collect()))
    }
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
    fn ask(&self, of: &T, found: &Found<'_>, wanted: &mut Wanted) {
        self.plan.ask((self.of)(of), found, wanted);
    }

    fn tell(&self, of: &T, found: &Found<'_>) -> Value {
        self.plan.tell((self.of)(of), found)
    }
}

/// An object that is made from the item, or none.
pub struct Made<T, U> {
    of: fn(&T) -> Option<U>,
    plan: Plan<U>,
}

impl<T, U: Plain> Made<T, U> {
    /// This object, and what is asked of it.
    pub fn new(of: fn(&T) -> Option<U>, set: Set<'_>) -> Option<Self> {
        let plan = set.plan()?;
        Some(Self { of, plan })
    }
}

impl<T, U: Plain> Inside<T> for Made<T, U> {
    fn ask(&self, of: &T, found: &Found<'_>, wanted: &mut Wanted) {
        if let Some(object) = (self.of)(of) {
            self.plan.ask(&object, found, wanted);
        }
    }

    fn tell(&self, of: &T, found: &Found<'_>) -> Value {
        let object = (self.of)(of);
        object.map_or(Value::Null, |object| self.plan.tell(&object, found))
    }
}

/// An object that is the answer to a question about the item, looked up for all items together.
pub struct Named<T, K: Question, U: Clone> {
    of: fn(&T) -> Option<K>,
    object: for<'a> fn(&'a T, &'a K::Answer) -> Option<Cow<'a, U>>,
    plan: Plan<U>,
}

impl<T, K: Question, U: Plain + Clone> Named<T, K, U> {
    /// The object made from the answer to this question, and what is asked of it.
    pub fn new(
        of: fn(&T) -> Option<K>,
        object: for<'a> fn(&'a T, &'a K::Answer) -> Option<Cow<'a, U>>,
        set: Set<'_>,
    ) -> Option<Self> {
        let plan = set.plan()?;
        Some(Self { of, object, plan })
    }
}

impl<T, K: Question<Answer = U>, U: Plain + Clone> Named<T, K, U> {
    /// The object that is the answer, and what is asked of it.
    pub fn by(of: fn(&T) -> Option<K>, set: Set<'_>) -> Option<Self> {
        Self::new(of, |_, answer| Some(Cow::Borrowed(answer)), set)
    }
}

impl<T, K: Question, U: Plain + Clone> Inside<T> for Named<T, K, U> {
    fn ask(&self, of: &T, found: &Found<'_>, wanted: &mut Wanted) {
        let Some(key) = (self.of)(of) else { return };
        match K::found(found).get(&key) {
            Some(Some(answer)) => {
                if let Some(object) = (self.object)(of, answer) {
                    self.plan.ask(&object, found, wanted);
                }
            }
            Some(None) => {}
            None => drop(K::wanted(wanted).insert(key)),
        }
    }

    fn tell(&self, of: &T, found: &Found<'_>) -> Value {
        let answer = (self.of)(of).and_then(|key| K::found(found).get(&key)?.as_deref());
        let object = answer.and_then(|answer| (self.object)(of, answer));
        object.map_or(Value::Null, |object| self.plan.tell(&object, found))
    }
}

/// A value that is made from the answer to a question about the item, looked up for all items together.
pub struct Asked<T, K: Question> {
    of: fn(&T) -> Option<K>,
    tell: fn(&T, Option<&K::Answer>) -> Value,
}

impl<T, K: Question> Asked<T, K> {
    /// How the answer to this question is told, or that there is none.
    #[must_use]
    pub fn new(of: fn(&T) -> Option<K>, tell: fn(&T, Option<&K::Answer>) -> Value) -> Self {
        Self { of, tell }
    }
}

impl<T, K: Question> Inside<T> for Asked<T, K> {
    fn ask(&self, of: &T, found: &Found<'_>, wanted: &mut Wanted) {
        if let Some(key) = (self.of)(of)
            && !K::found(found).contains_key(&key)
        {
            K::wanted(wanted).insert(key);
        }
    }

    fn tell(&self, of: &T, found: &Found<'_>) -> Value {
        let answer = (self.of)(of).and_then(|key| K::found(found).get(&key)?.as_deref());
        (self.tell)(of, answer)
    }
}

/// What came with the items of a list.
#[derive(Clone, Debug, Default)]
pub struct AtHand {
    /// People whom they name, of whom only what is asked for was read.
    pub people: HashMap<UserKey, User>,
    /// The viewer's places in conversations that are listed, and the place of the newest root message in each.
    pub places: Vec<(participant::Model, i32)>,
    /// Whether only what is asked for was read of the items as well. They can be told at once, and in no other way.
    pub is_partial: bool,
    /// As [`Set::lineage`].
    pub lineage: bool,
}

/// A list of a page, told at once where that is possible: of items, or of a part of each.
#[derive(Debug)]
pub struct Listed<T, U = T> {
    items: Arc<[T]>,
    of: fn(&T) -> &U,
    at_hand: Arc<AtHand>,
}

impl<T> Listed<T> {
    /// These items.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self {
            items: items.into_iter().collect(),
            of: |item| item,
            at_hand: Arc::default(),
        }
    }

    /// The same, with what came with them.
    #[must_use]
    pub fn with(mut self, at_hand: AtHand) -> Self {
        self.at_hand = Arc::new(at_hand);
        self
    }

    /// This part of each of the same items.
    #[must_use]
    pub fn part<U>(&self, of: fn(&T) -> &U) -> Listed<T, U> {
        Listed {
            items: Arc::clone(&self.items),
            of,
            at_hand: Arc::clone(&self.at_hand),
        }
    }
}

impl<T: Send + Sync + 'static, U: Plain> OutputType for Listed<T, U> {
    fn type_name() -> Cow<'static, str> {
        Vec::<U>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<U>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<U>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match self.at_once(ctx).await {
            Some(Ok(value)) => return Ok(value),
            Some(Err(refusal)) if self.at_hand.is_partial => {
                let error = Error::from(refusal).into_server_error(field.pos);
                return Err(ctx.set_error_path(error));
            }
            // Told the ordinary way, which also tells what went wrong.
            None | Some(Err(_)) => {}
        }
        let items = self.items.iter().map(self.of);
        resolve_list(ctx, field, items, Some(self.items.len())).await
    }
}

impl<T: Send + Sync, U: Plain> Listed<T, U> {
    /// None where it cannot be.
    async fn at_once(&self, ctx: &ContextSelectionSet<'_>) -> Option<Result<Value, Refusal>> {
        if !app(ctx).config.lists_at_once {
            return None;
        }
        let plan = {
            let takes = RefCell::default();
            let set = Set {
                asked: &ctx.item.node,
                fragments: &ctx.query_env.fragments,
                takes: &takes,
                lineage: self.at_hand.lineage,
            };
            set.plan::<U>()?
        };
        let items: Vec<&U> = self.items.iter().map(self.of).collect();
        Some(plan.tell_all(&items, &self.at_hand, once(ctx)).await)
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
        let set = Set {
            asked: &operation.node.selection_set.node,
            fragments: &document.fragments,
            takes: &RefCell::default(),
            lineage: false,
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
