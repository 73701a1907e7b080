//! The plans of a connection's lists, built once per request, before the rows are read.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{
    Context, Pos, Positioned,
    parser::types::{Field, Selection},
};

use super::{FieldSelection, Plan, PlannedObject, RequiredColumns};
use crate::graphql::context::{app, extension};

/// The plan of each selected list of one type, by the position of its field in the document.
pub(super) type Plans<T> = Arc<Vec<(Pos, Plan<T>)>>;

/// The plans of the lists of a connection, and the columns that they read.
pub struct ConnectionPlan<E, N> {
    pub(super) edges: Plans<E>,
    pub(super) nodes: Plans<N>,
    columns: RequiredColumns,
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
        let build = || Self::new(ctx, &field.node);
        match extension::<PlanCache>(ctx) {
            Some(cache) => cache.get_or_insert(field.pos, build),
            None => build().map(Arc::new),
        }
    }

    fn new(ctx: &Context<'_>, field: &Field) -> Option<Self> {
        let required_columns = RefCell::default();
        let set = FieldSelection {
            fields: &field.selection_set.node,
            fragments: &ctx.query_env.fragments,
            required_columns: &required_columns,
            ancestors_visible: E::ANCESTORS_VISIBLE,
        };
        let (mut edges, mut nodes) = (vec![], vec![]);
        plan_lists(set, &mut edges, &mut nodes)?;
        Some(Self {
            edges: Arc::new(edges),
            nodes: Arc::new(nodes),
            columns: required_columns.into_inner(),
        })
    }
}

impl<E, N> ConnectionPlan<E, N> {
    /// The columns of this type that the lists read.
    #[must_use]
    pub fn columns<C: 'static>(&self) -> &[C] {
        self.columns.get()
    }
}

/// Plans the lists of a connection. Fragments count whether or not they apply: at worst too many columns are read.
fn plan_lists<E: PlannedObject, N: PlannedObject>(
    set: FieldSelection<'_>,
    edges: &mut Vec<(Pos, Plan<E>)>,
    nodes: &mut Vec<(Pos, Plan<N>)>,
) -> Option<()> {
    for selection in &set.fields.items {
        match &selection.node {
            Selection::Field(field) => match field.node.name.node.as_str() {
                "edges" => edges.push((field.pos, Plan::new(set.within(&field.node))?)),
                "nodes" => nodes.push((field.pos, Plan::new(set.within(&field.node))?)),
                _ => {}
            },
            Selection::InlineFragment(inline) => {
                plan_lists(set.replace(&inline.node.selection_set.node), edges, nodes)?;
            }
            Selection::FragmentSpread(spread) => {
                let fragment = set.fragments.get(&spread.node.fragment_name.node)?;
                plan_lists(set.replace(&fragment.node.selection_set.node), edges, nodes)?;
            }
        }
    }
    Some(())
}

/// A plan, or that there is none.
type CachedPlan = Option<Arc<dyn Any + Send + Sync>>;

/// The connection plans of a request, by the position of the field and the type of the plan.
#[derive(Default)]
pub struct PlanCache(Mutex<HashMap<(Pos, TypeId), CachedPlan>>);

impl PlanCache {
    fn get_or_insert<P: Any + Send + Sync>(
        &self,
        pos: Pos,
        build: impl FnOnce() -> Option<P>,
    ) -> Option<Arc<P>> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans.entry((pos, TypeId::of::<P>())).or_insert_with(|| {
            build().map(|plan| -> Arc<dyn Any + Send + Sync> { Arc::new(plan) })
        });
        Arc::downcast(Arc::clone(plan.as_ref()?)).ok()
    }
}
