//! What is logged about an operation: one line with its cost and its result, and the cause if it failed.

use std::{
    any::Any,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::parser::types::OperationType;

use super::response::GraphqlResponse;
use crate::{db::QueryStats, error::Code, request_scope::RequestScope};

/// Characters of an operation's name that are logged.
pub(super) const NAME_LENGTH: usize = 64;

/// The values of an operation that are logged and sent as `Server-Timing`.
#[derive(Clone)]
pub(super) struct OperationLog {
    pub(super) name: Option<String>,
    pub(super) kind: OperationType,
    pub(super) request_id: String,
    pub(super) client: Option<IpAddr>,
    pub(super) cost: u64,
    pub(super) started: Instant,
    pub(super) stats: Arc<QueryStats>,
}

impl OperationLog {
    /// What the operation's work knows about its request.
    pub(super) fn scope(&self) -> RequestScope {
        RequestScope {
            id: self.request_id.clone(),
            client: self.client,
        }
    }

    /// Writes one line per operation, which never contains its text, its variables or the user.
    pub(super) fn write(&self, code: Option<&str>) {
        tracing::info!(
            target: "heddle::operation",
            {
                request.id = %self.request_id,
                operation.name = self.name.as_deref().unwrap_or_default(),
                operation.kind = %self.kind,
                operation.code = code.unwrap_or("OK"),
                operation.ms = rounded_millis(self.started.elapsed()),
                database.ms = rounded_millis(self.stats.time()),
                database.statements = self.stats.statements(),
            },
            "an operation ran"
        );
    }

    /// Logs why an operation has no result, and returns the response, which hides it.
    pub(super) fn failed(&self, cause: &str) -> GraphqlResponse {
        tracing::error!(
            request.id = %self.request_id,
            error.code = Code::Internal.as_str(),
            cause,
            "an operation failed"
        );
        GraphqlResponse::internal()
    }

    /// The value of the `Server-Timing` header.
    pub(super) fn server_timing(&self) -> String {
        format!(
            "total;dur={:.3}, db;dur={:.3}, cost;desc=\"{}\", statements;desc=\"{}\"",
            millis(self.started.elapsed()),
            millis(self.stats.time()),
            self.cost,
            self.stats.statements()
        )
    }
}

/// The message of a panic, if it has one.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without a message"))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Milliseconds with three decimals.
fn rounded_millis(duration: Duration) -> f64 {
    (millis(duration) * 1000.0).round() / 1000.0
}
