//! The values that a list loads for its items, by the type of their key. Every key of the loaders can be used.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    hash::Hash,
};

use async_graphql::dataloader::Loader;
use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join_all},
};

use crate::{
    entity::partial::Partial,
    graphql::{
        errors::FieldError,
        loaders::{LoaderHandle, Loaders},
    },
};

/// A key that lists load values by.
pub trait PreloadKey: Eq + Hash + Clone + Send + Sync + Sized + 'static {
    /// The loaded value.
    type Value: Clone + Send + Sync + 'static;

    /// Loads the values of these keys; those without a value are absent.
    fn load(
        keys: Vec<Self>,
        loaders: LoaderHandle<'_>,
    ) -> BoxFuture<'_, Result<HashMap<Self, Self::Value>, FieldError>>;
}

impl<K> PreloadKey for K
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

/// Loaded values, each with its key; none where the viewer sees no such object. At least the columns that the plan
/// reads are loaded.
type ByKey<K> = HashMap<K, Option<Partial<<K as PreloadKey>::Value>>>;

/// One map per type of key. A list uses a few types, so that a scan is faster than hashing.
#[derive(Default)]
struct Maps(Vec<Box<dyn Any + Send + Sync>>);

impl Maps {
    fn get<M: 'static>(&self) -> Option<&M> {
        self.0.iter().find_map(|map| map.downcast_ref())
    }

    fn get_or_insert<M: Default + Send + Sync + 'static>(&mut self) -> Option<&mut M> {
        if self.get::<M>().is_none() {
            self.0.push(Box::new(M::default()));
        }
        self.0.iter_mut().find_map(|map| map.downcast_mut())
    }
}

/// Values that were read together with the items of a list.
#[derive(Default)]
pub struct PreloadedValues(Maps);

impl PreloadedValues {
    /// Adds a value.
    pub fn insert<K: PreloadKey>(&mut self, key: K, value: Partial<K::Value>) {
        if let Some(values) = self.0.get_or_insert::<ByKey<K>>() {
            values.insert(key, Some(value));
        }
    }
}

/// All values that are loaded.
pub struct LoadedValues<'a> {
    preloaded: &'a PreloadedValues,
    loaded: Maps,
}

impl<'a> LoadedValues<'a> {
    /// Begins with the values that were read together with the items.
    #[must_use]
    pub fn new(preloaded: &'a PreloadedValues) -> Self {
        let loaded = Maps::default();
        Self { preloaded, loaded }
    }

    /// The value of a key, or that there is none; `None` while the key is not loaded.
    #[expect(clippy::option_option, reason = "a loaded key may have no value")]
    pub(super) fn get<K: PreloadKey>(&self, key: &K) -> Option<Option<&K::Value>> {
        let loaded = self.loaded.get::<ByKey<K>>().and_then(|map| map.get(key));
        let preloaded = || self.preloaded.0.get::<ByKey<K>>()?.get(key);
        let found: &Option<Partial<_>> = loaded.or_else(preloaded)?;
        Some(found.as_ref().map(Partial::loaded))
    }

    /// Provides the value of a pending key.
    pub fn provide<K: PreloadKey>(
        &mut self,
        pending: &mut PendingKeys,
        key: K,
        value: impl FnOnce() -> K::Value,
    ) {
        if pending.remove(&key) {
            self.extend([(key, Some(value().into()))]);
        }
    }

    fn extend<K: PreloadKey>(
        &mut self,
        values: impl IntoIterator<Item = (K, Option<Partial<K::Value>>)>,
    ) {
        if let Some(map) = self.loaded.get_or_insert::<ByKey<K>>() {
            map.extend(values);
        }
    }
}

/// Adds loaded values to the others.
type Store = Box<dyn FnOnce(&mut LoadedValues<'_>) + Send>;

/// The keys of one type that wait to be loaded.
trait KeySet: Any + Send + Sync {
    fn is_empty(&self) -> bool;

    fn load<'l>(&mut self, loaders: LoaderHandle<'l>) -> BoxFuture<'l, Result<Store, FieldError>>;
}

impl<K: PreloadKey> KeySet for HashSet<K> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn load<'l>(&mut self, loaders: LoaderHandle<'l>) -> BoxFuture<'l, Result<Store, FieldError>> {
        let keys: Vec<K> = self.drain().collect();
        let load = async move {
            let mut values = K::load(keys.clone(), loaders).await?;
            let store: Store = Box::new(move |loaded: &mut LoadedValues<'_>| {
                loaded.extend(keys.into_iter().map(|key| {
                    let value = values.remove(&key).map(Partial::from);
                    (key, value)
                }));
            });
            Ok(store)
        };
        load.boxed()
    }
}

/// The keys that wait to be loaded.
#[derive(Default)]
pub struct PendingKeys(Vec<Box<dyn KeySet>>);

impl PendingKeys {
    fn of<K: PreloadKey>(&mut self) -> Option<&mut HashSet<K>> {
        let sets = self.0.iter_mut();
        sets.map(|set| -> &mut dyn Any { set.as_mut() })
            .find_map(|set| set.downcast_mut())
    }

    pub(super) fn insert<K: PreloadKey>(&mut self, key: K) {
        match self.of() {
            Some(keys) => drop(keys.insert(key)),
            None => self.0.push(Box::new(HashSet::from([key]))),
        }
    }

    fn remove<K: PreloadKey>(&mut self, key: &K) -> bool {
        self.of::<K>().is_some_and(|keys| keys.remove(key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|keys| keys.is_empty())
    }

    /// Loads all of them, with one statement per type of key.
    pub(super) async fn load(
        &mut self,
        loaded: &mut LoadedValues<'_>,
        loaders: LoaderHandle<'_>,
    ) -> Result<(), FieldError> {
        let sets = self.0.iter_mut().filter(|keys| !keys.is_empty());
        let loads: Vec<_> = sets.map(|keys| keys.load(loaders)).collect();
        for store in try_join_all(loads).await? {
            store(loaded);
        }
        Ok(())
    }
}
