//! What stands before the executor: every document and its variables are read, measured and pruned here, in time that
//! grows with their length and with nothing else. Pure: no axum, no database, no clock.

mod cost;
mod document;
mod error;
mod lexer;
mod limits;
mod prune;
#[cfg(test)]
mod tests;
mod variables;

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, Field, OperationType};
use async_graphql::{Positioned, Variables, parser};
use moka::sync::Cache;
use serde_json::{Map, Value as Json};

pub use cost::{CostMeter, measure};
pub use document::{Document, Selected};
pub use error::{Excess, GuardError, Stage};
pub use lexer::{Lexed, lex};
pub use limits::Limits;
pub use variables::{Coerced, VariableTypes};

/// Errors that one answer holds at most.
pub const MOST_ERRORS: usize = 10;

/// Memory that read documents are kept in, roughly.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// A read document takes about this many times the memory of its text.
const BYTES_PER_CHARACTER: u32 = 24;

/// Mutations that try a secret or end access. Each stands alone in its operation, so that one request is one try.
const ALONE: [&str; 17] = [
    "cancelAccountDeletion",
    "changeEmail",
    "changePassword",
    "completeSignIn",
    "confirmTotpSetup",
    "createAccessToken",
    "deleteAccount",
    "disableTotp",
    "refreshSession",
    "regenerateRecoveryCodes",
    "register",
    "requestPasswordReset",
    "resendEmailVerification",
    "resetPassword",
    "signIn",
    "startTotpSetup",
    "verifyEmail",
];

/// Reads documents for one schema.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    inputs: VariableTypes,
    read: Cache<String, Arc<Document>>,
}

/// An operation that may run.
#[derive(Debug)]
pub struct Admitted {
    /// The operation and its fragments, for the executor.
    pub document: ExecutableDocument,
    /// Its variables, coerced.
    pub variables: Variables,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether it reads, writes or subscribes.
    pub kind: OperationType,
    /// Whether it asks about the schema.
    pub introspects: bool,
}

impl Guard {
    /// A guard for the schema that `sdl` describes.
    pub fn new(sdl: &str, limits: Limits) -> Result<Self, parser::Error> {
        Ok(Self {
            limits,
            inputs: VariableTypes::read(sdl)?,
            read: Cache::builder()
                .weigher(|text: &String, _| {
                    u32::try_from(text.len())
                        .unwrap_or(u32::MAX)
                        .saturating_mul(BYTES_PER_CHARACTER)
                })
                .max_capacity(CACHE_BYTES)
                .build(),
        })
    }

    /// Reads a document, or finds it read before.
    pub fn read(&self, text: &str) -> Result<Arc<Document>, GuardError> {
        if let Some(known) = self.read.get(text) {
            return Ok(known);
        }
        let document = Arc::new(Document::read(text, &self.limits)?);
        self.read.insert(text.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// Chooses the operation to run, checks its size with these variables, and prepares it for the executor.
    pub fn admit(
        &self,
        document: &Document,
        operation_name: Option<&str>,
        variables: &Map<String, Json>,
    ) -> Result<Admitted, Vec<GuardError>> {
        let selected = document.select(operation_name).map_err(one)?;
        self.check_depth(variables).map_err(one)?;
        let coerced = self
            .inputs
            .coerce(&selected.operation.node.variable_definitions, variables)?;
        measure(document, &selected, &coerced.values, &self.inputs)
            .check(&self.limits)
            .map_err(one)?;
        let roots = document.roots(&selected);
        check_roots(selected.kind(), &roots, document, &selected).map_err(one)?;
        Ok(Admitted {
            document: prune::prune(document, &selected, &coerced.omitted),
            name: selected.name.map(ToString::to_string),
            kind: selected.kind(),
            introspects: roots
                .iter()
                .any(|field| ["__schema", "__type"].contains(&field.node.name.node.as_str())),
            variables: coerced.values,
        })
    }

    /// Bounds the variables' depth without recursing on them.
    fn check_depth(&self, variables: &Map<String, Json>) -> Result<(), GuardError> {
        let mut waiting: Vec<(&Json, u64)> = variables.values().map(|value| (value, 0)).collect();
        while let Some((value, above)) = waiting.pop() {
            let depth = above + 1;
            let deeper = match value {
                Json::Array(items) => {
                    waiting.extend(items.iter().map(|item| (item, depth)));
                    true
                }
                Json::Object(fields) => {
                    waiting.extend(fields.values().map(|field| (field, depth)));
                    true
                }
                _ => false,
            };
            if deeper && depth > self.limits.variables {
                return Err(GuardError::excess(
                    Stage::Checking,
                    "variableDepth",
                    self.limits.variables,
                    depth,
                ));
            }
        }
        Ok(())
    }
}

fn check_roots(
    kind: OperationType,
    roots: &[&Positioned<Field>],
    document: &Document,
    selected: &Selected<'_>,
) -> Result<(), GuardError> {
    let at = Some(selected.operation.pos);
    match kind {
        OperationType::Query => Ok(()),
        OperationType::Mutation => {
            let named = |field: &&Positioned<Field>| ALONE.contains(&field.node.name.node.as_str());
            if roots.len() > 1 && roots.iter().any(named) {
                return Err(GuardError::invalid(
                    "A mutation about accounts and secrets stands alone in its operation.",
                    at,
                ));
            }
            Ok(())
        }
        OperationType::Subscription => {
            if roots.len() != 1
                || roots
                    .iter()
                    .any(|root| root.node.name.node.starts_with("__"))
            {
                return Err(GuardError::invalid(
                    "A subscription has exactly one root field.",
                    at,
                ));
            }
            if document.root_has_directives(selected) {
                return Err(GuardError::invalid(
                    "A subscription's root field cannot be skipped or included.",
                    at,
                ));
            }
            Ok(())
        }
    }
}

fn one(refusal: GuardError) -> Vec<GuardError> {
    vec![refusal]
}
