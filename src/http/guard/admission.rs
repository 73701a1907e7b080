//! The guard itself: caches parsed documents, and admits an operation when all checks pass.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Variables, parser};
use moka::sync::Cache;
use serde_json::{Map, Value as Json};

use super::{
    cost::measure,
    document::Document,
    error::{GuardError, Stage},
    limits::Limits,
    prune::prune,
    root_fields,
    variables::VariableTypes,
};

/// Approximate memory for cached documents, in bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Approximate memory of a parsed document per byte of its text.
const BYTES_PER_CHARACTER: u32 = 24;

/// Checks the documents of one schema.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    types: VariableTypes,
    documents: Cache<String, Arc<Document>>,
}

/// An operation that may run.
#[derive(Debug)]
pub struct Admitted {
    /// The operation and its fragments, for the executor.
    pub document: ExecutableDocument,
    /// The coerced variables.
    pub variables: Variables,
    /// The operation's name, if it has one.
    pub name: Option<String>,
    /// The type of the operation.
    pub kind: OperationType,
    /// Whether it selects `__schema` or `__type`.
    pub introspects: bool,
}

impl Guard {
    /// Creates a guard for the schema that `sdl` describes.
    pub fn new(sdl: &str, limits: Limits) -> Result<Self, parser::Error> {
        Ok(Self {
            limits,
            types: VariableTypes::read(sdl)?,
            documents: Cache::builder()
                .weigher(|text: &String, _| {
                    u32::try_from(text.len())
                        .unwrap_or(u32::MAX)
                        .saturating_mul(BYTES_PER_CHARACTER)
                })
                .max_capacity(CACHE_BYTES)
                .build(),
        })
    }

    /// Parses a document, or returns it from the cache.
    pub fn read(&self, text: &str) -> Result<Arc<Document>, GuardError> {
        if let Some(cached) = self.documents.get(text) {
            return Ok(cached);
        }
        let document = Arc::new(Document::read(text, &self.limits)?);
        self.documents
            .insert(text.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// Selects the operation to run, checks its cost with these variables, and prepares it for the executor.
    pub fn admit(
        &self,
        document: &Document,
        operation_name: Option<&str>,
        variables: &Map<String, Json>,
    ) -> Result<Admitted, Vec<GuardError>> {
        let selected = document.select(operation_name)?;
        self.check_variable_depth(variables)?;
        let coerced = self
            .types
            .coerce(&selected.operation.node.variable_definitions, variables)?;
        measure(document, &selected, &coerced.values, &self.types).check(&self.limits)?;
        let roots = document.roots(&selected);
        root_fields::check(&roots, document, &selected)?;
        Ok(Admitted {
            document: prune(document, &selected, &coerced.omitted),
            name: selected.name.map(ToString::to_string),
            kind: selected.kind(),
            introspects: roots
                .iter()
                .any(|field| ["__schema", "__type"].contains(&field.node.name.node.as_str())),
            variables: coerced.values,
        })
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
