//! What load balancers and containers ask: whether the process lives, and whether it can serve.

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

/// A database that does not answer within this time is not reachable.
const PATIENCE: Duration = Duration::from_secs(3);

/// The process lives and answers.
pub(super) async fn healthz(method: Method) -> Response {
    headers::only_reading(&method).unwrap_or_else(|| tell(StatusCode::OK, "alive"))
}

/// The database is reachable, has every table that this version needs, and the server is not about to stop. Without
/// its Redis a node serves as well, only later, so that is told and no reason to take it out.
pub(super) async fn readyz(State(state): State<AppState>, method: Method) -> Response {
    if let Some(refused) = headers::only_reading(&method) {
        return refused;
    }
    if state.shutdown.is_cancelled() {
        return tell(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    let pending = Migrator::get_pending_migrations(state.app.db.read());
    match tokio::time::timeout(PATIENCE, pending).await {
        Ok(Ok(pending)) if pending.is_empty() => {
            let told = match state.app.hub.is_linked() {
                None => json!({ "status": "ready" }),
                Some(true) => json!({ "status": "ready", "redis": "connected" }),
                Some(false) => json!({ "status": "ready", "redis": "away" }),
            };
            (StatusCode::OK, Json(told)).into_response()
        }
        Ok(Ok(_pending)) => tell(StatusCode::SERVICE_UNAVAILABLE, "migrations are pending"),
        Ok(Err(_)) | Err(_) => tell(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be reached",
        ),
    }
}

fn tell(status: StatusCode, state: &str) -> Response {
    (status, Json(json!({ "status": state }))).into_response()
}
