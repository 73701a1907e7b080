//! A list of a page, and what came with its items.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, sync::Arc};

use async_graphql::{
    ContextSelectionSet, Error, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry, resolver_utils::resolve_list,
};

use super::{Json, PlannedObject, Selection};
use crate::{
    entity::participant,
    error,
    graphql::{
        context::{app, has_mergeable_fields, unbatched},
        errors::FieldError,
        users::{loader::UserKey, types::User},
    },
};

/// What came with the items of a list.
#[derive(Clone, Debug, Default)]
pub struct Preloaded {
    /// People whom they name, of whom only what is asked for was read.
    pub people: HashMap<UserKey, User>,
    /// The viewer's places in conversations that are listed, and how many messages are unread in each, if that was read.
    pub places: Vec<(participant::Model, Option<i64>)>,
    /// Whether only what is asked for was read of the items as well. They can be told at once, and in no other way.
    pub is_partial: bool,
    /// As [`Selection::ancestors_visible`].
    pub ancestors_visible: bool,
}

/// A list of a page, told at once where that is possible: of items, or of a part of each.
#[derive(Debug)]
pub struct PlannedList<T, U = T> {
    items: Arc<[T]>,
    of: fn(&T) -> &U,
    at_hand: Arc<Preloaded>,
}

impl<T> PlannedList<T> {
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
    pub fn with(mut self, at_hand: Preloaded) -> Self {
        self.at_hand = Arc::new(at_hand);
        self
    }

    /// This part of each of the same items.
    #[must_use]
    pub fn part<U>(&self, of: fn(&T) -> &U) -> PlannedList<T, U> {
        PlannedList {
            items: Arc::clone(&self.items),
            of,
            at_hand: Arc::clone(&self.at_hand),
        }
    }
}

impl<T: Send + Sync + 'static, U: PlannedObject> OutputType for PlannedList<T, U> {
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
        let refused = match self.try_fast_path(ctx).await {
            Some(Ok(value)) => return Ok(value),
            Some(Err(refusal)) => Some(refusal),
            None => None,
        };
        if self.at_hand.is_partial {
            // No resolver may take what was not read for what is there.
            let unplanned = || error::Error::internal("a list that was read in part").into();
            let refusal = refused.unwrap_or_else(unplanned);
            let error = Error::from(refusal).into_server_error(field.pos);
            return Err(ctx.set_error_path(error));
        }
        // The ordinary way also tells what went wrong.
        let items = self.items.iter().map(self.of);
        resolve_list(ctx, field, items, Some(self.items.len())).await
    }
}

impl<T: Send + Sync, U: PlannedObject> PlannedList<T, U> {
    /// None where it cannot be.
    async fn try_fast_path(
        &self,
        ctx: &ContextSelectionSet<'_>,
    ) -> Option<Result<Value, FieldError>> {
        if !app(ctx).config.list_fast_path {
            return None;
        }
        let plan = {
            let required_columns = RefCell::default();
            let set = Selection {
                asked: &ctx.item.node,
                fragments: &ctx.query_env.fragments,
                required_columns: &required_columns,
                ancestors_visible: self.at_hand.ancestors_visible,
            };
            set.plan::<U>()?
        };
        let items: Vec<&U> = self.items.iter().map(self.of).collect();
        let told = plan.write_list(&items, &self.at_hand, unbatched(ctx)).await;
        Some(told.map(|json| written(ctx, json)))
    }
}

/// A value that is written down already. Nothing can be merged with it: where that may have to be, it is read again.
fn written(ctx: &ContextSelectionSet<'_>, json: Json) -> Value {
    if has_mergeable_fields(ctx) {
        return serde_json::from_slice(&json).unwrap_or_default();
    }
    Value::Binary(json.into())
}
