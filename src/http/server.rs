//! Accepts connections and serves them, each within its time and its share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::{AppState, client::ConnectionInfo, write_timeout::WriteTimeout};

/// Connections at once from one address, but for this machine's own.
const PER_ADDRESS: usize = 64;
/// Time for a request's headers to arrive; also how long an idle connection is kept.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Room for a request's headers, in bytes.
const HEADER_BYTES: usize = 32 * 1024;
/// Time for connections to end once the server is to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// Rest after the system had no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the door's shutdown, then lets what runs finish.
pub(super) async fn serve(state: AppState, listener: TcpListener) {
    let router = state.clone().router();
    let room = Arc::new(Semaphore::new(state.app.config.connections));
    let addresses = Addresses::default();
    let accepting = async {
        while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // A proxy of ours brings everybody's connections.
            let is_ours = state
                .app
                .config
                .trusted_proxies
                .contains(&address.ip().to_canonical());
            let network = network(address.ip()).filter(|_| !is_ours);
            let Some(slot) = addresses.take(network, permit) else {
                continue;
            };
            let peer = ConnectionInfo::new(address, slot);
            state
                .connections
                .spawn(connection(state.clone(), router.clone(), stream, peer));
        }
    };
    tokio::select! {
        () = accepting => {}
        () = state.shutdown.cancelled() => {}
    }
    drop(listener);
    state.connections.close();
    if tokio::time::timeout(DRAIN, state.connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections.left = state.connections.len(),
            "connections did not end in time"
        );
    }
}

async fn connection(state: AppState, router: Router, stream: TcpStream, peer: ConnectionInfo) {
    let service = tower::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(peer.clone());
        let router: Router = router.clone();
        async move { ServiceExt::<Request>::oneshot(router, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(
            TokioIo::new(WriteTimeout::accepted(stream)),
            TowerToHyperService::new(service),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // What ends badly is the client's going away, or its breaking HTTP: neither is news.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = state.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(DRAIN, connection).await;
        }
    }
}

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    addresses: Addresses,
    network: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Addresses {
    fn take(
        &self,
        network: Option<IpAddr>,
        permit: OwnedSemaphorePermit,
    ) -> Option<ConnectionPermit> {
        if let Some(network) = network {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(network).or_default();
            if *count >= PER_ADDRESS {
                return None;
            }
            *count += 1;
        }
        Some(ConnectionPermit {
            addresses: self.clone(),
            network,
            _permit: permit,
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut counts = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

/// What counts as one address: of IPv6 the first half, since a single household owns the second. None for this
/// machine's own, where proxies and tests live.
fn network(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    match address {
        IpAddr::V6(address) => Some(IpAddr::from((address.to_bits() >> 64 << 64).to_be_bytes())),
        IpAddr::V4(_) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_share_and_gives_it_back() {
        let room = Arc::new(Semaphore::new(1000));
        let addresses = Addresses::default();
        let take = |text: &str| {
            let permit = Arc::clone(&room).try_acquire_owned().unwrap();
            addresses.take(network(text.parse().unwrap()), permit)
        };
        let mut slots: Vec<_> = (0..64)
            .map(|n| take(&format!("2001:db8::{n}")).unwrap())
            .collect();
        assert!(take("2001:db8::ffff").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
        assert!(take("192.0.2.1").is_some());
        slots.pop();
        slots.push(take("2001:db8::ffff").unwrap());
        let own: Vec<_> = (0..100).map(|_| take("127.0.0.1").unwrap()).collect();
        drop((slots, own));
        assert!(addresses.0.lock().unwrap().is_empty());
        assert_eq!(room.available_permits(), 1000);
    }
}
