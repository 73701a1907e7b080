//! The values that a list refers to, by the type of their key. Every key of the loaders can be used.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::dataloader::Loader;
use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    entity::partial::Partial,
    graphql::{
        errors::FieldError,
        loaders::{LoaderHandle, Loaders},
        response_size::ResponseSize,
    },
};

/// A key that lists load values by.
pub trait ListKey: Eq + Hash + Clone + Send + Sync + Sized + 'static {
    /// The loaded value.
    type Value: Clone + Send + Sync + 'static;

    /// Loads the values of these keys; those without a value are absent.
    fn load(
        keys: Vec<Self>,
        loaders: LoaderHandle<'_>,
    ) -> BoxFuture<'_, Result<HashMap<Self, Self::Value>, FieldError>>;
}

impl<K> ListKey for K
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    Loaders: Loader<K, Error = FieldError>,
{
    type Value = <Loaders as Loader<K>>::Value;

    fn load(
        keys: Vec<Self>,
        loaders: LoaderHandle<'_>,
    ) -> BoxFuture<'_, Result<HashMap<Self, Self::Value>, FieldError>> {
        async move { loaders.load_many(keys).await }.boxed()
    }
}

/// A loaded value; none where the viewer sees no such object. At least the columns that the plan reads are loaded.
pub(super) type Loaded<K> = Option<Arc<Partial<<K as ListKey>::Value>>>;

/// The values that are known of the items of a list: one map per type of key.
#[derive(Default)]
pub struct KnownValues(Mutex<HashMap<TypeId, Box<dyn Any + Send>>>);

impl KnownValues {
    fn with<K: ListKey, R>(&self, access: impl FnOnce(&mut HashMap<K, Loaded<K>>) -> R) -> R {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let map = maps.remove(&TypeId::of::<K>());
        let mut map: Box<HashMap<K, Loaded<K>>> =
            map.and_then(|map| map.downcast().ok()).unwrap_or_default();
        let result = access(&mut map);
        maps.insert(TypeId::of::<K>(), map);
        result
    }

    /// Adds values that are not known.
    pub fn extend<K: ListKey>(&self, values: impl IntoIterator<Item = (K, Partial<K::Value>)>) {
        self.with(|known| {
            for (key, value) in values {
                known.entry(key).or_insert_with(|| Some(Arc::new(value)));
            }
        });
    }
}

/// Access to the values that a list refers to.
pub struct ListValues<'a> {
    pub(super) known: &'a KnownValues,
    pub(super) loaders: LoaderHandle<'a>,
    pub(super) size: Option<&'a ResponseSize>,
}

impl ListValues<'_> {
    /// Fails with `TOO_COMPLEX` if values of this size, in bytes, make the response too large.
    pub fn check_size(&self, bytes: usize) -> Result<(), FieldError> {
        self.size.map_or(Ok(()), |size| size.check(bytes))
    }

    /// The values of these keys. Those that are not known are loaded with one statement.
    pub(super) async fn load<K: ListKey>(&self, keys: &[K]) -> Result<Vec<Loaded<K>>, FieldError> {
        let missing: Vec<K> = self.known.with(|known: &mut HashMap<K, _>| {
            let missing = keys.iter().filter(|&key| !known.contains_key(key));
            missing.cloned().collect()
        });
        if !missing.is_empty() {
            let mut found = K::load(missing.clone(), self.loaders).await?;
            let loaded = missing.into_iter().map(|key| {
                let value = found.remove(&key);
                (key, value.map(|value| Arc::new(value.into())))
            });
            self.known.with(|known| known.extend(loaded));
        }
        let value = |known: &mut HashMap<K, Loaded<K>>| {
            let value = |key: &K| known.get(key).cloned().flatten();
            keys.iter().map(value).collect()
        };
        Ok(self.known.with(value))
    }
}
