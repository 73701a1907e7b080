//! The data loader of a request, with the viewer it loads for. Each noun adds its keys in its own `loader.rs`, named
//! after what they look up: `UserKey`, `RepliesOf`.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    hash::Hash,
    slice,
    sync::{Mutex, PoisonError},
};

use async_graphql::{ContextBase, QueryPathSegment, dataloader::Loader};

use crate::{
    app::App,
    db::with_timeout,
    domain::sessions::Viewer,
    error::Error,
    graphql::{batches::Batches, caller::Caller, errors::FieldError},
};

/// Loads values for one request, with one statement per kind of key.
#[derive(Debug)]
pub struct Loaders {
    app: App,
    caller: Caller,
    prefetched: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

impl Loaders {
    /// Creates the loaders of this caller.
    #[must_use]
    pub fn new(app: &App, caller: Caller) -> Self {
        Self {
            app: app.clone(),
            caller,
            prefetched: Mutex::default(),
        }
    }

    /// Stores a value that was read together with its parent until the loader takes it; the last one per type of key.
    pub(crate) fn put<K>(&self, key: K, value: <Self as Loader<K>>::Value)
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Self: Loader<K>,
    {
        let mut prefetched = self
            .prefetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        prefetched.insert(TypeId::of::<K>(), Box::new((key, value)));
    }

    /// The stored value, if it belongs to the only one of these keys.
    pub(crate) fn take<K>(&self, keys: &[K]) -> Option<(K, <Self as Loader<K>>::Value)>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Self: Loader<K>,
    {
        type Stored<K> = (K, <Loaders as Loader<K>>::Value);
        let mut prefetched = self
            .prefetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (key, _) = prefetched
            .get(&TypeId::of::<K>())?
            .downcast_ref::<Stored<K>>()?;
        if keys != slice::from_ref(key) {
            return None;
        }
        let stored = prefetched.remove(&TypeId::of::<K>())?;
        stored.downcast::<Stored<K>>().ok().map(|stored| *stored)
    }

    /// The running server.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The signed-in user; UNAUTHENTICATED when there is none.
    pub fn viewer(&self) -> Result<&Viewer, FieldError> {
        self.caller
            .viewer()
            .ok_or_else(|| FieldError::from(Error::unauthenticated()))
    }
}

/// The batches of a request.
pub type RequestBatches = Batches<Loaders>;

/// The loaders of a request, for one field. A database that does not respond in time is reported as UNAVAILABLE.
#[derive(Clone, Copy)]
pub struct LoaderHandle<'a> {
    batches: &'a RequestBatches,
    is_unbatched: bool,
}

impl<'a> LoaderHandle<'a> {
    /// For a field whose keys are batched with those of other fields.
    pub(crate) fn shared(batches: &'a RequestBatches) -> Self {
        Self {
            batches,
            is_unbatched: false,
        }
    }

    /// For a field that no other field can share a statement with when it is executed once: it then loads
    /// immediately. `may_repeat_fields` as in `DocumentShape`.
    pub(crate) fn unbatched<T>(
        ctx: &ContextBase<'a, T>,
        batches: &'a RequestBatches,
        may_repeat_fields: bool,
    ) -> Self {
        let is_unbatched = !may_repeat_fields && !is_in_list(ctx);
        Self {
            batches,
            is_unbatched,
        }
    }

    /// The loader itself, if this field loads without batching.
    pub(crate) fn direct(&self) -> Option<&'a Loaders> {
        self.is_unbatched.then(|| self.batches.loaders())
    }

    /// Loads the value of one key.
    pub(crate) async fn load_one<K>(
        self,
        key: K,
    ) -> Result<Option<<Loaders as Loader<K>>::Value>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        let mut found = self.load_many([key.clone()]).await?;
        Ok(found.remove(&key))
    }

    /// Loads the value of one key, or its default.
    pub(crate) async fn load_or_default<K>(
        self,
        key: K,
    ) -> Result<<Loaders as Loader<K>>::Value, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Value: Default, Error = FieldError>,
    {
        Ok(self.load_one(key).await?.unwrap_or_default())
    }

    /// Loads the value of one key; NOT_FOUND, with the name of the noun, when there is none.
    pub(crate) async fn load_existing<K>(
        self,
        key: K,
        noun: &str,
    ) -> Result<<Loaders as Loader<K>>::Value, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        let found = self.load_one(key).await?;
        found.ok_or_else(|| Error::not_found(noun).into())
    }

    /// Loads the value of one key, if there is a key.
    pub(crate) async fn load_if<K>(
        self,
        key: Option<K>,
    ) -> Result<Option<<Loaders as Loader<K>>::Value>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        match key {
            Some(key) => self.load_one(key).await,
            None => Ok(None),
        }
    }

    /// Resolves a nullable field whose object may be absent.
    pub(crate) async fn nullable<K>(
        self,
        key: Option<K>,
    ) -> Option<Result<<Loaders as Loader<K>>::Value, FieldError>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        self.load_if(key).await.transpose()
    }

    /// Loads the values of several keys, in the order of the keys, without those that are absent.
    pub(crate) async fn load_list<K>(
        self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<<Loaders as Loader<K>>::Value>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        let mut found = self.load_many(keys.iter().cloned()).await?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    /// Loads the values of several keys.
    pub(crate) async fn load_many<K>(
        self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<HashMap<K, <Loaders as Loader<K>>::Value>, FieldError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = FieldError>,
    {
        if !self.is_unbatched {
            return with_timeout(self.batches.load(keys)).await;
        }
        let keys: Vec<K> = keys.into_iter().collect();
        with_timeout(self.batches.load_directly(&keys)).await
    }
}

fn is_in_list<T>(ctx: &ContextBase<'_, T>) -> bool {
    let mut path = ctx.path_node.as_ref();
    while let Some(node) = path {
        if matches!(node.segment, QueryPathSegment::Index(_)) {
            return true;
        }
        path = node.parent;
    }
    false
}

/// Groups keys that one statement can load, by what they have in common.
pub(crate) fn group<K, G: Eq + Hash, V>(
    keys: &[K],
    split: impl Fn(&K) -> (G, V),
) -> HashMap<G, Vec<V>> {
    let mut groups: HashMap<G, Vec<V>> = HashMap::new();
    for (common, value) in keys.iter().map(split) {
        groups.entry(common).or_default().push(value);
    }
    groups
}

/// Defines a key that is an id, and loads pairs of an id and its value from the domain.
macro_rules! loader {
    (
        $(#[$doc:meta])*
        $key:ident($id:ty) -> $value:ty, |$app:ident, $viewer:ident, $ids:ident| $load:expr $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $key(pub $id);

        impl async_graphql::dataloader::Loader<$key> for Loaders {
            type Value = $value;
            type Error = $crate::graphql::errors::FieldError;

            async fn load(
                &self,
                keys: &[$key],
            ) -> Result<std::collections::HashMap<$key, $value>, Self::Error> {
                let ($app, $viewer) = (self.app(), self.viewer()?);
                let ids: Vec<$id> = keys.iter().map(|key| key.0).collect();
                let $ids = ids.as_slice();
                let loaded = $load;
                Ok(loaded.into_iter().map(|(id, value)| ($key(id), value)).collect())
            }
        }
    };
}

/// Defines a key that is the id of a row, and loads the rows of a select: those that the viewer sees.
macro_rules! by_id {
    (
        $(#[$doc:meta])*
        $key:ident($id:ty) -> $value:ty = $make:expr,
        $column:expr, |$app:ident, $viewer:ident| $select:expr $(,)?
    ) => {
        $crate::graphql::loaders::loader!(
            $(#[$doc])*
            $key($id) -> $value,
            |$app, $viewer, ids| {
                let ids = sea_orm::ColumnTrait::is_in(&$column, ids.iter().copied());
                let rows = sea_orm::QueryFilter::filter($select, ids).all($app.db.read()).await?;
                rows.into_iter().map(|row| (row.id, $make(row)))
            }
        );
    };
}

/// Defines a key that is an id with what identifies a page, and loads the same page of many lists from the domain.
macro_rules! pages {
    (
        $(#[$doc:meta])*
        $key:ident $(<$generic:ident: $bound:ident>)? {
            $(#[$id_doc:meta])*
            $id:ident: $id_type:ty,
            $($(#[$common_doc:meta])* $common:ident: $common_type:ty),+ $(,)?
        } -> $value:ty,
        |$app:ident, $viewer:ident, $ids:ident| $load:expr $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $key $(<$generic>)? {
            $(#[$id_doc])*
            pub $id: $id_type,
            $($(#[$common_doc])* pub $common: $common_type,)+
        }

        impl $(<$generic: $bound>)? async_graphql::dataloader::Loader<$key $(<$generic>)?> for Loaders {
            type Value = $value;
            type Error = $crate::graphql::errors::FieldError;

            async fn load(
                &self,
                keys: &[$key $(<$generic>)?],
            ) -> Result<std::collections::HashMap<$key $(<$generic>)?, $value>, Self::Error> {
                if let Some(prefetched) = self.take(keys) {
                    return Ok(std::collections::HashMap::from([prefetched]));
                }
                let ($app, $viewer) = (self.app(), self.viewer()?);
                let mut loaded = std::collections::HashMap::with_capacity(keys.len());
                let groups = $crate::graphql::loaders::group(keys, |key| {
                    (($(Clone::clone(&key.$common),)+), key.$id)
                });
                for (common, ids) in groups {
                    let ($ids, ($($common,)+)) = (ids.as_slice(), &common);
                    let pages = $load;
                    loaded.extend(pages.into_iter().map(|($id, page)| {
                        let key = $key { $id, $($common: Clone::clone($common),)+ };
                        (key, page)
                    }));
                }
                Ok(loaded)
            }
        }
    };
}

pub(crate) use {by_id, loader, pages};
