//! A valid document within the limits, with what the admission of its operations needs to know.

use std::sync::atomic::{AtomicU64, Ordering};

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    executable::{Operation, OperationType},
    validation::Valid,
};
use async_graphql::parser::types;

use super::complexity::Complexity;
use super::error::GuardError;
use super::position::Lines;

/// The number of the next document.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Approximate memory of the parsed document per token, in bytes.
const BYTES_PER_TOKEN: u64 = 250;
/// How often the text is in memory: as the key of the cache, for positions, and as the parts of the document.
const COPIES_OF_TEXT: usize = 3;

/// A valid document within the limits.
#[derive(Debug)]
pub struct Document {
    /// Identifies the document in the caches.
    pub(super) id: u64,
    pub(super) valid: Valid<ExecutableDocument>,
    pub(super) lines: Lines,
    pub(super) operations: Vec<OperationFacts>,
    tokens: u64,
}

/// What is known about an operation before its variables are.
#[derive(Debug)]
pub(super) struct OperationFacts {
    /// Its place among the operations of the document.
    pub(super) index: usize,
    /// Its measurements without variables.
    pub(super) complexity: Complexity,
    /// Whether its cost depends on variables.
    pub(super) sized_by_variables: bool,
    /// The variables of its `@skip` and `@include`, each once.
    pub(super) conditions: Vec<Name>,
    /// The variables that a request may leave out and that then have no value.
    pub(super) optional: Vec<Name>,
}

/// The operation to run.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'a> {
    pub(super) operation: &'a Node<Operation>,
    pub(super) facts: &'a OperationFacts,
}

impl Document {
    pub(super) fn new(
        valid: Valid<ExecutableDocument>,
        lines: Lines,
        operations: Vec<OperationFacts>,
        tokens: u64,
    ) -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            valid,
            lines,
            operations,
            tokens,
        }
    }

    /// Approximate memory, in bytes.
    pub(super) fn memory(&self) -> u32 {
        let nodes = self.tokens.saturating_mul(BYTES_PER_TOKEN);
        let texts = self.lines.bytes().saturating_mul(COPIES_OF_TEXT);
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
        nodes.saturating_add(u32::try_from(texts).unwrap_or(u32::MAX))
    }

    /// Selects the operation called `name`, or the only one.
    pub fn select(&self, name: Option<&str>) -> Result<Selected<'_>, GuardError> {
        let is_requested = |operation: &Node<Operation>| match name {
            None => true,
            Some(name) => operation.name.as_ref().is_some_and(|own| own == name),
        };
        let mut found = self.valid.operations.iter().zip(&self.operations);
        let mut found = found
            .by_ref()
            .filter(|(operation, _)| is_requested(operation));
        let error = match (found.next(), found.next()) {
            (Some((operation, facts)), None) => return Ok(Selected { operation, facts }),
            (Some(_), Some(_)) => {
                "The document has several operations: select one with `operationName`."
            }
            (None, _) if self.valid.operations.anonymous.is_some() => {
                "The document's only operation is anonymous: leave out `operationName`."
            }
            (None, _) => "The document has no operation with this name: check `operationName`.",
        };
        Err(GuardError::invalid(error, None))
    }
}

impl Selected<'_> {
    /// The type of the operation.
    #[must_use]
    pub fn kind(&self) -> types::OperationType {
        match self.operation.operation_type {
            OperationType::Query => types::OperationType::Query,
            OperationType::Mutation => types::OperationType::Mutation,
            OperationType::Subscription => types::OperationType::Subscription,
        }
    }
}
