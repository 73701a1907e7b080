//! A list of a page, and what came with its items.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, sync::Arc};

use async_graphql::{
    ContextSelectionSet, Error, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry, resolver_utils::resolve_list,
};

use super::{Json, Plain, Set};
use crate::{
    entity::participant,
    error,
    graphql::{
        context::{app, merges, once},
        errors::Refusal,
        users::{loader::UserKey, types::User},
    },
};

/// What came with the items of a list.
#[derive(Clone, Debug, Default)]
pub struct AtHand {
    /// People whom they name, of whom only what is asked for was read.
    pub people: HashMap<UserKey, User>,
    /// The viewer's places in conversations that are listed, and how many messages are unread in each, if that was read.
    pub places: Vec<(participant::Model, Option<i64>)>,
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
        let refused = match self.at_once(ctx).await {
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

impl<T: Send + Sync, U: Plain> Listed<T, U> {
    /// None where it cannot be.
    async fn at_once(&self, ctx: &ContextSelectionSet<'_>) -> Option<Result<Value, Refusal>> {
        if !app(ctx).config.list_fast_path {
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
        let told = plan.tell_all(&items, &self.at_hand, once(ctx)).await;
        Some(told.map(|json| written(ctx, json)))
    }
}

/// A value that is written down already. Nothing can be merged with it: where that may have to be, it is read again.
fn written(ctx: &ContextSelectionSet<'_>, json: Json) -> Value {
    if merges(ctx) {
        return serde_json::from_slice(&json).unwrap_or_default();
    }
    Value::Binary(json.into())
}
