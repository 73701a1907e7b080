//! The guard itself: caches documents, and admits an operation when all checks pass.

use std::{collections::HashSet, sync::Arc};

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Value, Variables};
use moka::sync::Cache;
use serde_json::{Map, Value as Json};

use super::{
    cost::measure,
    document::{Document, Selected},
    error::{GuardError, Stage},
    introspection::{Introspection, ResultCache, result_cache},
    limits::Limits,
    merge::{Circumstances, merge},
    merged_operation::MergedOperation,
    root_fields,
    schema::{CompiledSchema, InvalidSchema},
    variables::{Coerced, coerce},
};

/// Approximate memory for cached documents, in bytes.
const DOCUMENT_CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Approximate memory for cached operations, in bytes.
const OPERATION_CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Approximate memory of an operation per field or value of an argument.
const BYTES_PER_NODE: u32 = 500;

/// Checks the documents of one schema.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    pub(super) schema: Arc<CompiledSchema>,
    documents: Cache<Arc<str>, Arc<Document>>,
    operations: Cache<OperationKey, Arc<MergedOperation>>,
    results: ResultCache,
}

/// Identifies a merged operation: the document, the operation, the values of its conditions, and which of its optional
/// variables have a value.
type OperationKey = (u64, usize, Box<[bool]>);

/// An operation that may run.
#[derive(Debug)]
pub struct Admitted {
    /// The operation, for the executor.
    pub document: ExecutableDocument,
    /// The coerced variables.
    pub variables: Variables,
    /// The operation's name, if it has one.
    pub name: Option<String>,
    /// The type of the operation.
    pub kind: OperationType,
    /// The cost of the operation, in fields of the response.
    pub cost: u64,
    /// The fields `__schema` and `__type`, which the executor does not run.
    pub introspection: Option<Introspection>,
    /// The values of the variables that decide which fields are selected, in the order of their names.
    pub conditions: Vec<bool>,
    /// Whether a viewer without the required second factor may not use it.
    pub needs_second_factor: bool,
}

impl Guard {
    /// Creates a guard for the schema that `sdl` describes.
    pub fn new(sdl: &str, limits: Limits) -> Result<Self, InvalidSchema> {
        Ok(Self {
            limits,
            schema: Arc::new(CompiledSchema::parse(sdl)?),
            documents: Cache::builder()
                .weigher(|_, document: &Arc<Document>| document.memory())
                .max_capacity(DOCUMENT_CACHE_BYTES)
                .build(),
            operations: Cache::builder()
                .weigher(|_, operation: &Arc<MergedOperation>| {
                    u32::try_from(operation.size)
                        .unwrap_or(u32::MAX)
                        .saturating_add(1)
                        .saturating_mul(BYTES_PER_NODE)
                })
                .max_capacity(OPERATION_CACHE_BYTES)
                .build(),
            results: result_cache(),
        })
    }

    /// Parses and validates a document, or returns it from the cache.
    pub fn read(&self, text: &str) -> Result<Arc<Document>, Vec<GuardError>> {
        if let Some(cached) = self.documents.get(text) {
            return Ok(cached);
        }
        let document = Arc::new(Document::read(text, &self.schema, &self.limits)?);
        self.documents.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    /// Selects the operation to run, checks its cost with these variables, and prepares it for the executor.
    pub fn admit(
        &self,
        document: &Arc<Document>,
        operation_name: Option<&str>,
        variables: &Map<String, Json>,
    ) -> Result<Admitted, Vec<GuardError>> {
        let selected = document.select(operation_name)?;
        self.check_variable_depth(variables)?;
        let declared = &selected.operation.variables;
        let coerced = coerce(&self.schema, &document.lines, declared, variables)?;
        let conditions = conditions(&selected, &coerced.values)?;
        let mut complexity = measure(&self.schema, document, &selected, &coerced.values);
        complexity.check(&self.limits)?;
        let merged = self.merged(document, &selected, &conditions, &coerced)?;
        let introspection = Introspection::admit(
            &self.schema,
            document,
            &selected,
            &merged,
            &coerced.values,
            (&self.results, self.limits.cost),
        )?;
        let of_schema = introspection.as_ref().map_or(0, Introspection::cost);
        complexity.cost = complexity.cost.saturating_add(of_schema);
        complexity.check(&self.limits)?;
        Ok(Admitted {
            document: merged.document.clone(),
            name: selected.operation.name.as_ref().map(ToString::to_string),
            kind: selected.kind(),
            cost: complexity.cost,
            introspection,
            variables: coerced.values,
            conditions,
            needs_second_factor: root_fields::needs_second_factor(&merged),
        })
    }

    /// Merges the fields of the selected operation, or returns it from the cache.
    fn merged(
        &self,
        document: &Document,
        selected: &Selected<'_>,
        conditions: &[bool],
        coerced: &Coerced,
    ) -> Result<Arc<MergedOperation>, GuardError> {
        let facts = selected.facts;
        let optional = facts.optional.iter();
        let present = optional.map(|name| !coerced.omitted.contains(name.as_str()));
        let variant = conditions.iter().copied().chain(present).collect();
        let key = (document.id, facts.index, variant);
        if let Some(cached) = self.operations.get(&key) {
            return Ok(cached);
        }
        let names = facts.conditions.iter().zip(conditions);
        let true_ones = names.filter_map(|(name, value)| value.then_some(name.as_str()));
        let circumstances = Circumstances {
            schema: &self.schema,
            limits: &self.limits,
            conditions: Some(&true_ones.collect::<HashSet<_>>()),
            omitted: &coerced.omitted,
        };
        let merged = merge(document, selected, &circumstances)?;
        root_fields::check(document, selected, &merged, &self.limits)?;
        let merged = Arc::new(merged);
        self.operations.insert(key, Arc::clone(&merged));
        Ok(merged)
    }

    /// Limits the depth of the variables, without recursion.
    fn check_variable_depth(&self, variables: &Map<String, Json>) -> Result<(), GuardError> {
        let mut pending: Vec<(&Json, u64)> = variables.values().map(|value| (value, 1)).collect();
        while let Some((value, depth)) = pending.pop() {
            match value {
                Json::Array(items) => pending.extend(items.iter().map(|item| (item, depth + 1))),
                Json::Object(fields) => {
                    pending.extend(fields.values().map(|field| (field, depth + 1)));
                }
                _ => continue,
            }
            if depth > self.limits.variables {
                return Err(GuardError::limit_exceeded(
                    Stage::Validation,
                    "variableDepth",
                    self.limits.variables,
                    depth,
                ));
            }
        }
        Ok(())
    }
}

/// The values of the variables in `@skip` and `@include`.
fn conditions(selected: &Selected<'_>, variables: &Variables) -> Result<Vec<bool>, GuardError> {
    let conditions = selected.facts.conditions.iter();
    conditions
        .map(|name| match variables.get(name.as_str()) {
            Some(Value::Boolean(value)) => Ok(*value),
            // The type of such a variable is Boolean, and null replaces its default.
            _ => Err(GuardError::invalid(
                format!("Variable `${name}`: expected Boolean!, found null."),
                None,
            )),
        })
        .collect()
}
