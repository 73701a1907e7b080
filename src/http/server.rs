//! Accepts TCP connections, serves HTTP/1.1 on them, and ends them on shutdown. Their limits are in `connections`.

use std::time::Duration;

use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    connections::{ConnectionInfo, Connections},
    request_source::is_proxy,
    router::routes,
    state::AppState,
    write_timeout,
};
use crate::{app::App, error::Error};

/// Maximum time for the headers of a request to arrive, and for an idle connection to stay open.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Read buffer of a connection, in bytes. The headers of a request must fit into it.
const HEADER_BYTES: usize = 32 * 1024;
/// Maximum time for open connections to end after shutdown starts.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept, for example when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `shutdown` is cancelled. Returns when the open connections have ended, or when
/// their time to do so is over.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    app.hub.start().await?;
    let state = AppState::new(app, shutdown);
    tokio::select! {
        () = accept(&state, &listener) => {}
        () = state.shutdown.cancelled() => {}
    }
    drop(listener);
    state.connections.close();
    let drained = tokio::time::timeout(DRAIN_TIMEOUT, state.connections.wait());
    if drained.await.is_err() {
        tracing::warn!(
            connections.left = state.connections.len(),
            "connections did not end in time"
        );
    }
    Ok(())
}

/// Accepts connections within the limits and serves each of them in its own task.
async fn accept(state: &AppState, listener: &TcpListener) {
    let router = routes(state.clone());
    let connections = Connections::new(state.app.config.connections);
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let is_forwarding = is_proxy(&state.app.config.trusted_proxies, address.ip());
        let Some(info) = connections.enter(address, is_forwarding).await else {
            continue;
        };
        let connection = serve_connection(state.clone(), router.clone(), stream, info);
        state.connections.spawn(connection);
    }
}

async fn serve_connection(
    state: AppState,
    router: Router,
    stream: TcpStream,
    info: ConnectionInfo,
) {
    let connection_info = info.clone();
    let service = tower::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(connection_info.clone());
        let router: Router = router.clone();
        async move { ServiceExt::<Request>::oneshot(router, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(
            TokioIo::new(write_timeout::accepted(stream)),
            TowerToHyperService::new(service),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // A connection fails when the client disconnects or violates HTTP. Neither is logged.
    tokio::select! {
        _ = connection.as_mut() => {}
        // Another client needs its place.
        () = info.evicted() => {}
        () = state.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, connection).await;
        }
    }
}
