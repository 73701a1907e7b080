//! The list of a page, with the values that were read together with its items.

use std::{borrow::Cow, cell::RefCell, sync::Arc};

use async_graphql::{
    ContextSelectionSet, Error, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry, resolver_utils::resolve_list,
};

use super::{Json, LoadedValues, PlannedObject, PreloadedValues, Selection};
use crate::{
    error,
    graphql::{
        context::{app, has_mergeable_fields, unbatched},
        errors::FieldError,
    },
};

/// What was read together with the items of a list.
#[derive(Debug, Default)]
pub struct Preloaded {
    /// Values of which at least the selected columns were read.
    pub values: PreloadedValues,
    /// Whether only the selected columns of the items were read. The executor cannot resolve such a list.
    pub is_partial: bool,
    /// As [`Selection::ancestors_visible`].
    pub ancestors_visible: bool,
}

/// The list of a page, of its items or of a part of each. It is serialised directly where a plan is possible.
#[derive(Debug)]
pub struct PlannedList<T, U = T> {
    items: Arc<[T]>,
    of: fn(&T) -> &U,
    preloaded: Arc<Preloaded>,
}

impl<T> PlannedList<T> {
    /// A list of these items.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self {
            items: items.into_iter().collect(),
            of: |item| item,
            preloaded: Arc::default(),
        }
    }

    /// Adds what was read together with the items.
    #[must_use]
    pub fn with(mut self, preloaded: Preloaded) -> Self {
        self.preloaded = Arc::new(preloaded);
        self
    }

    /// The list of this part of each item.
    #[must_use]
    pub fn part<U>(&self, of: fn(&T) -> &U) -> PlannedList<T, U> {
        PlannedList {
            items: Arc::clone(&self.items),
            of,
            preloaded: Arc::clone(&self.preloaded),
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
        let failed = match self.try_fast_path(ctx).await {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => Some(error),
            None => None,
        };
        if self.preloaded.is_partial {
            // A resolver must not read a column that was not loaded.
            let unplanned = || error::Error::internal("a partial list has no plan").into();
            let error = Error::from(failed.unwrap_or_else(unplanned));
            return Err(ctx.set_error_path(error.into_server_error(field.pos)));
        }
        // After an error, the executor finds the field that it belongs to.
        let items = self.items.iter().map(self.of);
        resolve_list(ctx, field, items, Some(self.items.len())).await
    }
}

impl<T: Send + Sync, U: PlannedObject> PlannedList<T, U> {
    /// Serialises the list directly; none where that needs the executor.
    async fn try_fast_path(
        &self,
        ctx: &ContextSelectionSet<'_>,
    ) -> Option<Result<Value, FieldError>> {
        if !app(ctx).config.list_fast_path {
            return None;
        }
        let plan = {
            let set = Selection {
                fields: &ctx.item.node,
                fragments: &ctx.query_env.fragments,
                required_columns: &RefCell::default(),
                ancestors_visible: self.preloaded.ancestors_visible,
            };
            set.plan::<U>()?
        };
        let items: Vec<&U> = self.items.iter().map(self.of).collect();
        let loaded = LoadedValues::new(&self.preloaded.values);
        let json = plan.write_list(&items, loaded, unbatched(ctx)).await;
        Some(json.map(|json| to_value(ctx, json)))
    }
}

/// Wraps serialised JSON. The executor cannot merge it with another value: where that may be necessary, it is parsed.
fn to_value(ctx: &ContextSelectionSet<'_>, json: Json) -> Value {
    if has_mergeable_fields(ctx) {
        return serde_json::from_slice(&json).unwrap_or_default();
    }
    Value::Binary(json.into())
}
