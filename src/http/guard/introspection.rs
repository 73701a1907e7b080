//! Executes the fields `__schema` and `__type`, outside the executor. The size of a result is known before it is
//! computed. <https://spec.graphql.org/September2025/#sec-Introspection>

use std::sync::{Arc, OnceLock};

use apollo_compiler::{
    ExecutableDocument,
    executable::{Field, Fragment, Operation, Selection, SelectionSet},
    introspection,
    response::{JsonMap, JsonValue},
    schema::ExtendedType,
    validation::Valid,
};
use async_graphql::{Name, Response, Value as ResponseValue, Variables, indexmap::IndexMap};
use bytes::Bytes;
use moka::sync::Cache;

use super::document::{Document, Selected};
use super::error::{GuardError, Stage};
use super::introspection_size::Counter;
use super::merged_operation::{MergedOperation, RootField};
use super::schema::{CompiledSchema, is_one_of};

/// Memory for cached results, in bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// The size of a field in a result, in bytes: that of the standard introspection query is 21, and a description is longer.
const BYTES_PER_FIELD: u64 = 128;
/// Fields of a result that cost as much as one field of the data. A field takes 0.4 µs, if the result is not in the
/// cache; one of a list takes 1.1 µs with its share of the database.
const FIELDS_PER_COST: u64 = 4;
/// Nested lists within the list of all types: the library's constant.
const NESTED_LISTS: u64 = 2;
/// The beginning of the keys under which [`CompiledSchema::rewrite`] selects the name of a type.
const IS_ONE_OF: &str = "__isOneOf_";

/// The results of one server, by document, operation and variables.
pub(super) type ResultCache = Cache<ResultKey, Arc<SchemaResult>>;

/// Identifies a result: the document, the operation, and the variables as JSON.
pub(super) type ResultKey = (u64, usize, String);

/// The fields of a result by response key, as JSON.
type ResultFields = Vec<(Name, Bytes)>;

/// A result and its size in fields. It is computed when it is first needed.
#[derive(Debug)]
pub(super) struct SchemaResult {
    fields: u64,
    json: OnceLock<Option<ResultFields>>,
}

pub(super) fn result_cache() -> ResultCache {
    Cache::builder()
        .weigher(|(.., variables): &ResultKey, result: &Arc<SchemaResult>| {
            let bytes = result.fields.saturating_mul(BYTES_PER_FIELD);
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            bytes.saturating_add(u32::try_from(variables.len()).unwrap_or(u32::MAX))
        })
        .max_capacity(CACHE_BYTES)
        .build()
}

/// The introspection fields of an admitted operation.
#[derive(Debug)]
pub struct Introspection {
    schema: Arc<CompiledSchema>,
    document: Arc<Document>,
    operation: usize,
    variables: Valid<JsonMap>,
    /// The response keys of all root fields, in order.
    keys: Vec<Name>,
    result: Arc<SchemaResult>,
}

impl Introspection {
    /// Checks the introspection fields of an operation. Finds their result in the cache, or measures it up to
    /// `max_cost`; a result that costs more is not computed.
    pub(super) fn admit(
        schema: &Arc<CompiledSchema>,
        document: &Arc<Document>,
        selected: &Selected<'_>,
        merged: &MergedOperation,
        variables: &Variables,
        (cache, max_cost): (&ResultCache, u64),
    ) -> Result<Option<Self>, GuardError> {
        if !merged.roots.iter().any(RootField::is_introspection) {
            return Ok(None);
        }
        let json = serde_json::to_value(variables).unwrap_or_default();
        let key = (document.id, selected.facts.index, json.to_string());
        let variables = match JsonValue::from(json) {
            JsonValue::Object(variables) => Valid::assume_valid(variables),
            _ => Valid::assume_valid(JsonMap::new()),
        };
        let result = if let Some(result) = cache.get(&key) {
            result
        } else {
            check_lists(document, selected.operation)?;
            let maximum = max_cost.saturating_mul(FIELDS_PER_COST);
            let counter = Counter::new(schema, document, &variables, maximum);
            let fields = counter.fields(selected.operation);
            let json = OnceLock::new();
            let result = Arc::new(SchemaResult { fields, json });
            if fields <= maximum {
                cache.insert(key, Arc::clone(&result));
            }
            result
        };
        Ok(Some(Self {
            schema: Arc::clone(schema),
            document: Arc::clone(document),
            operation: selected.facts.index,
            variables,
            keys: merged.roots.iter().map(|root| root.key.clone()).collect(),
            result,
        }))
    }

    /// The cost of the result, in fields of data.
    pub(super) fn cost(&self) -> u64 {
        self.result.fields.div_ceil(FIELDS_PER_COST)
    }

    /// Whether the result is computed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.result.json.get().is_some()
    }

    /// Adds the result to the response of the executor, in the order of the document. None if there is no result.
    #[must_use]
    pub fn add_to(&self, mut response: Response) -> Option<Response> {
        let result = self.json()?;
        if let ResponseValue::Object(executed) = &mut response.data {
            let executed_key = |key: &Name| {
                let field = result.iter().find(|(own, _)| own == key)?;
                Some(ResponseValue::Binary(field.1.clone()))
            };
            let fields = self.keys.iter().filter_map(|key| {
                let value = executed_key(key).or_else(|| executed.shift_remove(key))?;
                Some((key.clone(), value))
            });
            let fields: IndexMap<_, _> = fields.collect();
            response.data = ResponseValue::Object(fields);
        }
        Some(response)
    }

    fn json(&self) -> Option<&ResultFields> {
        let json = self.result.json.get_or_init(|| self.execute());
        json.as_ref()
    }

    /// Runs the introspection fields. None after an error, which valid documents do not cause.
    fn execute(&self) -> Option<ResultFields> {
        let document = self.schema.introspection_only(&self.document.valid);
        let operation = document.operations.iter().nth(self.operation)?;
        let schema = &self.schema;
        let response = introspection::partial_execute(
            &schema.schema,
            &schema.implementers,
            &document,
            operation,
            &self.variables,
        );
        let response = response
            .inspect_err(|error| tracing::error!(error = %error.message(), "introspection failed"))
            .ok()?;
        if let Some(error) = response.errors.first() {
            tracing::error!(error = error.message, "introspection failed");
            return None;
        }
        let fields = response.data?.into_iter().map(|(key, mut value)| {
            self.schema.restore_is_one_of(&mut value);
            let json = serde_json::to_vec(&value).unwrap_or_default();
            (Name::new(key.as_str()), json.into())
        });
        Some(fields.collect())
    }
}

/// Limits the nesting of lists, with which a result grows exponentially.
fn check_lists(document: &Document, operation: &Operation) -> Result<(), GuardError> {
    introspection::check_max_depth(&document.valid, operation).map_err(|_too_deep| {
        GuardError::limit_exceeded(
            Stage::Validation,
            "introspectionLists",
            NESTED_LISTS,
            NESTED_LISTS + 1,
        )
    })
}

impl CompiledSchema {
    /// Removes the other fields of the root, whose arguments the library would evaluate. Selects the name of a type
    /// instead of `isOneOf`, which the library does not resolve.
    fn introspection_only(
        &self,
        document: &Valid<ExecutableDocument>,
    ) -> Valid<ExecutableDocument> {
        let mut document = document.clone().into_inner();
        let operations = document.operations.named.values_mut();
        for operation in operations.chain(&mut document.operations.anonymous) {
            let operation: &mut Operation = operation.make_mut();
            self.rewrite(&mut operation.selection_set);
        }
        for fragment in document.fragments.values_mut() {
            let fragment: &mut Fragment = fragment.make_mut();
            self.rewrite(&mut fragment.selection_set);
        }
        Valid::assume_valid(document)
    }

    fn rewrite(&self, set: &mut SelectionSet) {
        let query = self.schema.schema_definition.query.as_ref();
        if query.is_some_and(|query| query.name == set.ty) {
            set.selections.retain(|selection| match selection {
                Selection::Field(field) => ["__schema", "__type"].contains(&field.name.as_str()),
                _ => true,
            });
        }
        for selection in &mut set.selections {
            match selection {
                Selection::Field(field) if field.name == "isOneOf" && set.ty == "__Type" => {
                    let field: &mut Field = field.make_mut();
                    let key = format!("{IS_ONE_OF}{}", field.response_key());
                    field.alias = Some(apollo_compiler::Name::new_unchecked(&key));
                    field.name = apollo_compiler::name!("name");
                    if let Ok(name) = self.schema.type_field(&set.ty, &field.name) {
                        field.definition = name.node.clone();
                    }
                }
                Selection::Field(field) => self.rewrite(&mut field.make_mut().selection_set),
                Selection::InlineFragment(inline) => {
                    self.rewrite(&mut inline.make_mut().selection_set);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// Replaces the names that [`CompiledSchema::rewrite`] has selected by the values of `isOneOf`.
    fn restore_is_one_of(&self, value: &mut JsonValue) {
        match value {
            JsonValue::Array(items) => items
                .iter_mut()
                .for_each(|item| self.restore_is_one_of(item)),
            JsonValue::Object(fields) => {
                let is_renamed = |key: &str| key.starts_with(IS_ONE_OF);
                if fields.keys().any(|key| is_renamed(key.as_str())) {
                    let restored = std::mem::take(fields).into_iter();
                    let restored =
                        restored.map(|(key, value)| match key.as_str().strip_prefix(IS_ONE_OF) {
                            Some(original) => (original.into(), self.is_one_of(&value)),
                            None => (key, value),
                        });
                    *fields = restored.collect();
                }
                fields
                    .iter_mut()
                    .for_each(|(_, value)| self.restore_is_one_of(value));
            }
            _ => {}
        }
    }

    /// The value of `isOneOf` of the type with this name; null if it is not an input object.
    fn is_one_of(&self, name: &JsonValue) -> JsonValue {
        let definition = name.as_str().and_then(|name| self.schema.types.get(name));
        match definition {
            Some(ExtendedType::InputObject(object)) => JsonValue::Bool(is_one_of(object)),
            _ => JsonValue::Null,
        }
    }
}
