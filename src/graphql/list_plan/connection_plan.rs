//! The plans of a connection's lists, built once per request, before the rows are read.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{
    Context, Positioned,
    parser::types::{Field, Selection},
};

use super::{FieldSelection, Plan, PlannedObject, RequiredColumns};
use crate::graphql::{
    context::{app, extension},
    document::FieldAddress,
};

/// The plans of the lists of a connection, and the columns that they read.
pub struct ConnectionPlan<E, N> {
    pub(super) edges: Arc<Plan<E>>,
    pub(super) nodes: Arc<Plan<N>>,
    /// The columns.
    pub required: RequiredColumns,
}

impl<E: PlannedObject, N: PlannedObject> ConnectionPlan<E, N> {
    /// The plan of the connection that is resolved; none where its lists need the executor, which reads all columns.
    #[must_use]
    pub fn current(ctx: &Context<'_>) -> Option<Arc<Self>> {
        Self::of(ctx, ctx.item)
    }

    /// The plan of the connection that this field selects.
    #[must_use]
    pub fn of(ctx: &Context<'_>, field: &Positioned<Field>) -> Option<Arc<Self>> {
        if !app(ctx).config.list_fast_path {
            return None;
        }
        let build = || Self::new(&field.node);
        match extension::<PlanCache, _>(ctx) {
            Some(cache) => cache.get_or_insert(FieldAddress::of(field), build),
            None => build().map(Arc::new),
        }
    }

    fn new(field: &Field) -> Option<Self> {
        let required = RefCell::default();
        let set = FieldSelection {
            fields: &field.selection_set.node,
            required: &required,
            ancestors_visible: E::ANCESTORS_VISIBLE,
        };
        let (mut edges, mut nodes) = (None, None);
        for selection in &set.fields.items {
            let Selection::Field(field) = &selection.node else {
                return None;
            };
            let within = set.within(&field.node);
            let is_first = match field.node.name.node.as_str() {
                "edges" => edges.replace(Plan::new(within)?).is_none(),
                "nodes" => nodes.replace(Plan::new(within)?).is_none(),
                _ => true,
            };
            // Under two response keys a list may have two selections.
            is_first.then_some(())?;
        }
        Some(Self {
            edges: Arc::new(edges.unwrap_or_default()),
            nodes: Arc::new(nodes.unwrap_or_default()),
            required: required.into_inner(),
        })
    }
}

/// A plan, or that there is none.
type CachedPlan = Option<Arc<dyn Any + Send + Sync>>;

/// The connection plans of a request, by the address of the field and the type of the plan.
#[derive(Default)]
pub struct PlanCache(Mutex<HashMap<(FieldAddress, TypeId), CachedPlan>>);

impl PlanCache {
    fn get_or_insert<P: Any + Send + Sync>(
        &self,
        field: FieldAddress,
        build: impl FnOnce() -> Option<P>,
    ) -> Option<Arc<P>> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans.entry((field, TypeId::of::<P>())).or_insert_with(|| {
            build().map(|plan| -> Arc<dyn Any + Send + Sync> { Arc::new(plan) })
        });
        Arc::downcast(Arc::clone(plan.as_ref()?)).ok()
    }
}
