//! The kinds of nested fields. Each function plans one with the selection within it.

use std::borrow::Cow;

use async_graphql::Value;

use super::{
    FieldSelection, Json, LoadedValues, NestedField, PendingKeys, Plan, PlannedObject, PreloadKey,
    plan::write,
};

/// An object that is a part of the item.
struct ChildObject<T, U> {
    of: fn(&T) -> &U,
    plan: Plan<U>,
}

/// Plans a part of the item.
pub fn child<T: 'static, U: PlannedObject>(
    of: fn(&T) -> &U,
    set: FieldSelection<'_>,
) -> Option<Box<dyn NestedField<T>>> {
    let plan = Plan::new(set)?;
    Some(Box::new(ChildObject { of, plan }))
}

impl<T, U: PlannedObject> NestedField<T> for ChildObject<T, U> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        self.plan.collect_keys((self.of)(of), loaded, pending);
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        self.plan.write((self.of)(of), loaded, out);
    }
}

/// An object that is computed from the item, or null.
struct ComputedObject<T, U> {
    of: fn(&T) -> Option<U>,
    plan: Plan<U>,
}

/// Plans an object that is computed from the item.
pub fn computed<T: 'static, U: PlannedObject>(
    of: fn(&T) -> Option<U>,
    set: FieldSelection<'_>,
) -> Option<Box<dyn NestedField<T>>> {
    let plan = Plan::new(set)?;
    Some(Box::new(ComputedObject { of, plan }))
}

impl<T, U: PlannedObject> NestedField<T> for ComputedObject<T, U> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        if let Some(object) = (self.of)(of) {
            self.plan.collect_keys(&object, loaded, pending);
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        match (self.of)(of) {
            Some(object) => self.plan.write(&object, loaded, out),
            None => write(out, &Value::Null),
        }
    }
}

/// An object that is loaded by a key of the item, or null. All items are loaded together.
struct LoadedObject<T, K: PreloadKey, U: Clone> {
    key: fn(&T) -> Option<K>,
    object: for<'a> fn(&'a T, &'a K::Value) -> Option<Cow<'a, U>>,
    plan: Plan<U>,
}

/// Plans an object that is made from the loaded value.
pub fn loaded_object<T: 'static, K: PreloadKey, U: PlannedObject + Clone>(
    key: fn(&T) -> Option<K>,
    object: for<'a> fn(&'a T, &'a K::Value) -> Option<Cow<'a, U>>,
    set: FieldSelection<'_>,
) -> Option<Box<dyn NestedField<T>>> {
    let plan = Plan::new(set)?;
    Some(Box::new(LoadedObject { key, object, plan }))
}

/// Plans the loaded object.
pub fn loaded<T: 'static, K: PreloadKey<Value: PlannedObject>>(
    key: fn(&T) -> Option<K>,
    set: FieldSelection<'_>,
) -> Option<Box<dyn NestedField<T>>> {
    loaded_object(key, |_, object| Some(Cow::Borrowed(object)), set)
}

impl<T, K: PreloadKey, U: PlannedObject + Clone> NestedField<T> for LoadedObject<T, K, U> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        let Some(key) = (self.key)(of) else { return };
        match loaded.get(&key) {
            Some(Some(value)) => {
                if let Some(object) = (self.object)(of, value) {
                    self.plan.collect_keys(&object, loaded, pending);
                }
            }
            Some(None) => {}
            None => pending.insert(key),
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        let value = (self.key)(of).and_then(|key| loaded.get(&key)?);
        match value.and_then(|value| (self.object)(of, value)) {
            Some(object) => self.plan.write(&object, loaded, out),
            None => write(out, &Value::Null),
        }
    }
}

/// A value that is computed from a loaded one. All items are loaded together.
struct LoadedValue<T, K: PreloadKey> {
    key: fn(&T) -> Option<K>,
    value: fn(&T, Option<&K::Value>) -> Value,
}

/// Plans a value that is computed from the loaded one, or from its absence.
pub fn loaded_value<T: 'static, K: PreloadKey>(
    key: fn(&T) -> Option<K>,
    value: fn(&T, Option<&K::Value>) -> Value,
) -> Option<Box<dyn NestedField<T>>> {
    Some(Box::new(LoadedValue { key, value }))
}

impl<T, K: PreloadKey> NestedField<T> for LoadedValue<T, K> {
    fn collect_keys(&self, of: &T, loaded: &LoadedValues<'_>, pending: &mut PendingKeys) {
        if let Some(key) = (self.key)(of)
            && loaded.get(&key).is_none()
        {
            pending.insert(key);
        }
    }

    fn write(&self, of: &T, loaded: &LoadedValues<'_>, out: &mut Json) {
        let value = (self.key)(of).and_then(|key| loaded.get(&key)?);
        write(out, &(self.value)(of, value));
    }
}
