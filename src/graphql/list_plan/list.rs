//! The list of a page, with the values that were read together with its items.

use std::{borrow::Cow, cell::RefCell, sync::Arc};

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry, resolver_utils::resolve_list,
};

use super::{ConnectionPlan, FieldSelection, KnownValues, ListValues, Plan, PlannedObject};
use crate::{
    entity::partial::Partial,
    graphql::{
        context::{app, unbatched},
        errors::FieldError,
        response_size,
    },
};

/// The list of a page, of its items or of a part of each. It is serialised directly where a plan is possible.
pub struct PlannedList<T, U = T> {
    items: Items<T, U>,
    of: fn(&T) -> &U,
}

enum Items<T, U> {
    /// All columns were read: the executor can resolve them too.
    Whole(Arc<[T]>),
    /// Only the columns of the plan were read.
    Partial {
        items: Arc<[Partial<T>]>,
        plan: Arc<Plan<U>>,
        known: Arc<KnownValues>,
    },
}

impl<T> PlannedList<T> {
    /// The lists of a connection of which all columns were read: its edges, and the node of each.
    #[must_use]
    pub fn whole<N>(
        items: impl IntoIterator<Item = T>,
        node: fn(&T) -> &N,
    ) -> (Self, PlannedList<T, N>) {
        let items: Arc<[T]> = items.into_iter().collect();
        let nodes = PlannedList {
            items: Items::Whole(Arc::clone(&items)),
            of: node,
        };
        let edges = Self {
            items: Items::Whole(items),
            of: |item| item,
        };
        (edges, nodes)
    }

    /// The lists of a planned connection: its edges, and the node of each.
    #[must_use]
    pub fn planned<N>(
        items: impl IntoIterator<Item = Partial<T>>,
        node: fn(&T) -> &N,
        plan: &ConnectionPlan<T, N>,
        known: KnownValues,
    ) -> (Self, PlannedList<T, N>) {
        let (items, known) = (items.into_iter().collect::<Arc<[_]>>(), Arc::new(known));
        let edges = Self {
            items: Items::Partial {
                items: Arc::clone(&items),
                plan: Arc::clone(&plan.edges),
                known: Arc::clone(&known),
            },
            of: |item| item,
        };
        let nodes = PlannedList {
            items: Items::Partial {
                items,
                plan: Arc::clone(&plan.nodes),
                known,
            },
            of: node,
        };
        (edges, nodes)
    }
}

impl<T: PlannedObject + Send + Sync, U: PlannedObject + Sync> OutputType for PlannedList<T, U> {
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
        match &self.items {
            Items::Whole(items) => {
                let items: Vec<&U> = items.iter().map(self.of).collect();
                if let Some(plan) = plan::<T, U>(ctx)
                    && let Ok(value) = write(ctx, &plan, &items, &KnownValues::default()).await
                {
                    return Ok(value);
                }
                // After an error, the executor finds the field that it belongs to.
                let count = Some(items.len());
                resolve_list(ctx, field, items, count).await
            }
            Items::Partial { items, plan, known } => {
                let items = items.iter().map(|item| (self.of)(item.assume_loaded()));
                let items: Vec<&U> = items.collect();
                write(ctx, plan, &items, known).await.map_err(|error| {
                    let error = async_graphql::Error::from(error).into_server_error(field.pos);
                    ctx.set_error_path(error)
                })
            }
        }
    }
}

/// Plans a list of which all columns were read.
fn plan<T: PlannedObject, U: PlannedObject>(ctx: &ContextSelectionSet<'_>) -> Option<Plan<U>> {
    if !app(ctx).config.list_fast_path {
        return None;
    }
    Plan::new(FieldSelection {
        fields: &ctx.item.node,
        required: &RefCell::default(),
        ancestors_visible: T::ANCESTORS_VISIBLE,
    })
}

/// Serialises a list as JSON, which the executor could not merge with another value.
async fn write<U: PlannedObject>(
    ctx: &ContextSelectionSet<'_>,
    plan: &Plan<U>,
    items: &[&U],
    known: &KnownValues,
) -> Result<Value, FieldError> {
    let loaders = unbatched(ctx);
    let size = response_size::of(ctx);
    let values = ListValues {
        known,
        loaders,
        size,
    };
    let json = plan.write(items, &values).await?.into_list();
    if let Some(size) = size {
        size.add(json.len())?;
    }
    Ok(Value::Binary(json.into()))
}
