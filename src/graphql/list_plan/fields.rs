//! The kinds of planned fields.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::FutureExt;

use super::{Column, FieldPlan, FieldSelection, Json, ListKey, ListValues, Plan, PlannedObject};
use crate::{entity::partial::Partial, graphql::errors::FieldError};

/// Plans a field from columns of the object. An expression sees only the columns that the field names, because those
/// are read.
///
/// - `field!(within, table { column } => value)` writes the value.
/// - `… => load key` loads the object of the key, or null. All items are loaded together.
/// - `… => load key, |loaded| value` writes a value that is made from the loaded one, or from its absence.
macro_rules! field {
    (
        $within:ident, $($table:ident { $($column:ident),+ })+ => load $key:expr, |$loaded:ident| $value:expr
    ) => {{
        $crate::graphql::list_plan::require!($within, $($table { $($column),+ })+);
        $within.loaded_value(
            |of: &Self| $crate::graphql::list_plan::columns!(of, $($table { $($column),+ })+ => $key),
            |of: &Self, $loaded, out| $crate::graphql::list_plan::columns!(
                of, $($table { $($column),+ })+ => $crate::graphql::list_plan::write(out, &$value)
            ),
        )
    }};
    ($within:ident, $($table:ident { $($column:ident),+ })+ => load $key:expr) => {{
        $crate::graphql::list_plan::require!($within, $($table { $($column),+ })+);
        $within.loaded(
            |of: &Self| $crate::graphql::list_plan::columns!(of, $($table { $($column),+ })+ => $key),
        )
    }};
    ($within:ident, $($table:ident { $($column:ident),+ })+ => $value:expr) => {{
        $crate::graphql::list_plan::require!($within, $($table { $($column),+ })+);
        Some($crate::graphql::list_plan::FieldPlan::Value(
            |of: &Self, out| $crate::graphql::list_plan::columns!(
                of, $($table { $($column),+ })+ => $crate::graphql::list_plan::write(out, &$value)
            ),
        ))
    }};
}

/// Requires columns of tables.
macro_rules! require {
    ($within:ident, $($table:ident { $($column:ident),+ })+) => {
        $within.require(|required| {$(
            required.$table.extend([$(stringify!($column).parse::<$table::Column>()),+].into_iter().flatten());
        )+})
    };
}

/// An expression of columns of an object.
macro_rules! columns {
    ($of:ident, $($table:ident { $($column:ident),+ })+ => $value:expr) => {{
        $(
            let $table::Model { $($column,)+ .. } = $crate::graphql::list_plan::Part::part($of);
            let _ = ($($column,)+);
        )+
        $value
    }};
}
pub(crate) use {columns, field, require};

/// The distinct keys of the items of a list.
struct Keys<K> {
    distinct: Vec<K>,
    /// The first item with each key.
    items: Vec<usize>,
    /// The index of each item's key.
    indexes: Vec<Option<usize>>,
}

impl<K: ListKey> Keys<K> {
    fn new<T>(items: &[&T], key: fn(&T) -> Option<K>) -> Self {
        let mut known = HashMap::new();
        let (mut distinct, mut first) = (vec![], vec![]);
        let indexes = items.iter().enumerate().map(|(index, item)| {
            let key = key(item)?;
            Some(*known.entry(key).or_insert_with_key(|key| {
                distinct.push(key.clone());
                first.push(index);
                distinct.len() - 1
            }))
        });
        let indexes = indexes.collect();
        Self {
            distinct,
            items: first,
            indexes,
        }
    }
}

/// Serialises the objects, and null where there is none.
async fn write_objects<U: PlannedObject + Clone + Sync>(
    plan: &Plan<U>,
    objects: &[Option<Cow<'_, U>>],
    values: &ListValues<'_>,
) -> Result<Column, FieldError> {
    let shown: Vec<&U> = objects.iter().flatten().map(AsRef::as_ref).collect();
    let column = plan.write(&shown, values).await?;
    let mut next = 0..shown.len();
    let index = |object: &Option<_>| object.as_ref().and_then(|_| next.next());
    Ok(column.pick(objects.iter().map(index)))
}

impl FieldSelection<'_> {
    /// A part of the object.
    #[must_use]
    pub fn child<T: Sync + 'static, U: PlannedObject + Sync>(
        self,
        of: fn(&T) -> &U,
    ) -> Option<FieldPlan<T>> {
        let plan = Arc::new(Plan::new(self)?);
        Some(FieldPlan::Nested(Box::new(move |items, values| {
            let plan = Arc::clone(&plan);
            async move {
                let parts: Vec<&U> = items.iter().map(|item| of(item)).collect();
                plan.write(&parts, values).await
            }
            .boxed()
        })))
    }

    /// An object that is made from this one, or null.
    #[must_use]
    pub fn computed<T, U>(self, of: fn(&T) -> Option<U>) -> Option<FieldPlan<T>>
    where
        T: Sync + 'static,
        U: PlannedObject + Clone + Send + Sync,
    {
        let plan = Arc::new(Plan::<U>::new(self)?);
        Some(FieldPlan::Nested(Box::new(move |items, values| {
            let plan = Arc::clone(&plan);
            let objects = items.iter().map(|item| of(item).map(Cow::Owned));
            let objects: Vec<_> = objects.collect();
            async move { write_objects(&plan, &objects, values).await }.boxed()
        })))
    }

    /// The object of a key, or null.
    #[must_use]
    pub fn loaded<T, K>(self, key: fn(&T) -> Option<K>) -> Option<FieldPlan<T>>
    where
        T: Sync + 'static,
        K: ListKey<Value: PlannedObject>,
    {
        self.loaded_object(key, |_, value| Some(Cow::Borrowed(value)))
    }

    /// An object that is made from this one and from the value of a key, or null. Items with the same key have the
    /// same object.
    #[must_use]
    pub fn loaded_object<T, K, U>(
        self,
        key: fn(&T) -> Option<K>,
        object: for<'v> fn(&T, &'v K::Value) -> Option<Cow<'v, U>>,
    ) -> Option<FieldPlan<T>>
    where
        T: Sync + 'static,
        K: ListKey,
        U: PlannedObject + Clone + Send + Sync,
    {
        let plan = Arc::new(Plan::new(self)?);
        Some(FieldPlan::Nested(Box::new(move |items, values| {
            let plan = Arc::clone(&plan);
            async move {
                let keys = Keys::new(items, key);
                let loaded = values.load(&keys.distinct).await?;
                let objects = keys.items.iter().zip(&loaded).map(|(&item, value)| {
                    object(items.get(item)?, value.as_ref()?.assume_loaded())
                });
                let objects: Vec<_> = objects.collect();
                let column = write_objects(&plan, &objects, values).await?;
                Ok(column.pick(keys.indexes.into_iter()))
            }
            .boxed()
        })))
    }

    /// The object of a key, or null. It may be another item of the list, which then is not loaded again.
    #[must_use]
    pub fn loaded_or_listed<T, K>(
        self,
        key: fn(&T) -> Option<K>,
        key_of_item: fn(&T) -> K,
    ) -> Option<FieldPlan<T>>
    where
        T: PlannedObject + Clone + Send + Sync,
        K: ListKey<Value = T>,
    {
        let FieldPlan::Nested(load) = self.loaded(key)? else {
            return None;
        };
        Some(FieldPlan::Nested(Box::new(move |items, values| {
            let wanted: HashSet<K> = items.iter().filter_map(|item| key(item)).collect();
            let listed = items.iter().map(|&item| (key_of_item(item), item));
            let listed = listed.filter(|(key, _)| wanted.contains(key));
            let listed = listed.map(|(key, item)| (key, Partial::from(item.clone())));
            values.known.extend(listed);
            load(items, values)
        })))
    }

    /// A value that is made from the object and from the value of a key, or from its absence.
    #[must_use]
    pub fn loaded_value<T, K>(
        self,
        key: fn(&T) -> Option<K>,
        write: fn(&T, Option<&K::Value>, &mut Json),
    ) -> Option<FieldPlan<T>>
    where
        T: Sync + 'static,
        K: ListKey,
    {
        Some(FieldPlan::Nested(Box::new(move |items, values| {
            async move {
                let keys = Keys::new(items, key);
                let loaded = values.load(&keys.distinct).await?;
                let mut column = Column::default();
                for (item, index) in items.iter().zip(keys.indexes) {
                    let value = index.and_then(|index| loaded.get(index)?.as_deref());
                    column.push(|out| write(item, value.map(Partial::assume_loaded), out));
                }
                Ok(column)
            }
            .boxed()
        })))
    }
}
