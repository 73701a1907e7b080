//! Health checks for load balancers and containers: whether the process is alive, and whether it is ready.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use migration::{Migrator, MigratorTrait};
use serde_json::json;

use super::{headers, state::AppState};

/// Maximum time for the database to respond. After that it counts as unreachable.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns 200 if the process is alive.
pub(super) async fn healthz(method: Method) -> Response {
    headers::reject_writes(&method).unwrap_or_else(|| status(StatusCode::OK, "alive"))
}

/// Returns 200 if the server is not stopping, and the database is reachable and fully migrated. A node without Redis is
/// ready, because it only delivers events later; the body shows the state of Redis.
pub(super) async fn readyz(State(state): State<AppState>, method: Method) -> Response {
    if let Some(rejection) = headers::reject_writes(&method) {
        return rejection;
    }
    if state.shutdown.is_cancelled() {
        return status(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    let pending = Migrator::get_pending_migrations(state.app.db.read());
    match tokio::time::timeout(DATABASE_TIMEOUT, pending).await {
        Ok(Ok(pending)) if pending.is_empty() => {
            let body = match state.app.hub.is_linked() {
                None => json!({ "status": "ready" }),
                Some(true) => json!({ "status": "ready", "redis": "connected" }),
                Some(false) => json!({ "status": "ready", "redis": "away" }),
            };
            (StatusCode::OK, Json(body)).into_response()
        }
        Ok(Ok(_pending)) => status(StatusCode::SERVICE_UNAVAILABLE, "migrations are pending"),
        Ok(Err(_)) | Err(_) => status(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be reached",
        ),
    }
}

fn status(status: StatusCode, state: &str) -> Response {
    (status, Json(json!({ "status": state }))).into_response()
}
