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
use tokio::sync::Mutex;

use super::{headers, state::AppState};
use crate::live::installation;

/// The paths of the health checks.
pub(super) const PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// Maximum time for the database to respond. After that it counts as unreachable.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns 200 if the process is alive.
pub(super) async fn healthz(method: Method) -> Response {
    headers::reject_writes(&method).unwrap_or_else(|| status(StatusCode::OK, "alive"))
}

/// Returns 200 if the server is not stopping, and the database is reachable, writable and fully migrated. A node without
/// Redis is ready, because it only delivers events later; the body shows the state of Redis.
pub(super) async fn readyz(State(state): State<AppState>, method: Method) -> Response {
    if let Some(rejection) = headers::reject_writes(&method) {
        return rejection;
    }
    if state.shutdown.is_cancelled() {
        return status(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    if state.app.db.disk_failed() && !can_write(&state).await {
        let text = "the disk of the database is full or broken";
        return status(StatusCode::SERVICE_UNAVAILABLE, text);
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

/// Whether the database can write again. At most one probe runs at a time.
async fn can_write(state: &AppState) -> bool {
    static PROBE: Mutex<()> = Mutex::const_new(());
    let Ok(_probing) = PROBE.try_lock() else {
        return false;
    };
    let probe = installation::probe_write(&state.app.db);
    let can_write = matches!(
        tokio::time::timeout(DATABASE_TIMEOUT, probe).await,
        Ok(Ok(()))
    );
    state.app.db.note_disk(!can_write);
    can_write
}

fn status(status: StatusCode, state: &str) -> Response {
    (status, Json(json!({ "status": state }))).into_response()
}
