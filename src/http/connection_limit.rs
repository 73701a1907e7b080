//! Limits concurrent connections per client address, and describes the connection that a request arrived on.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

/// Maximum concurrent connections of one address. Loopback addresses and trusted proxies are exempt.
const PER_ADDRESS: usize = 64;

/// The connection that a request arrived on.
#[derive(Clone, Debug)]
pub(super) struct ConnectionInfo {
    /// Address of the peer.
    pub(super) address: SocketAddr,
    /// Held for as long as a request, a stream or a socket uses the connection.
    _permit: Arc<ConnectionPermit>,
}

impl ConnectionInfo {
    pub(super) fn new(address: SocketAddr, permit: ConnectionPermit) -> Self {
        Self {
            address,
            _permit: Arc::new(permit),
        }
    }
}

/// The number of open connections per address.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionLimit(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One counted connection. Dropping it releases the connection's share of both limits.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    limit: ConnectionLimit,
    network: Option<IpAddr>,
    _total: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// Counts one more connection of `network`. `None` when it has reached its limit; a connection without a network
    /// is not limited.
    pub(super) fn acquire(
        &self,
        network: Option<IpAddr>,
        total: OwnedSemaphorePermit,
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
            limit: self.clone(),
            network,
            _total: total,
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut counts = self.limit.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

/// Returns the key that an address is counted under. IPv6 addresses are counted by their upper 64 bits, because one
/// household has all addresses below them. `None` for loopback addresses, which local proxies and tests use.
pub(super) fn network(address: IpAddr) -> Option<IpAddr> {
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
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn connections_are_limited_per_address_and_released_on_drop() {
        let total = Arc::new(Semaphore::new(1000));
        let limit = ConnectionLimit::default();
        let acquire = |text: &str| {
            let permit = Arc::clone(&total).try_acquire_owned().unwrap();
            limit.acquire(network(text.parse().unwrap()), permit)
        };
        let mut permits: Vec<_> = (0..64)
            .map(|n| acquire(&format!("2001:db8::{n}")).unwrap())
            .collect();
        assert!(acquire("2001:db8::ffff").is_none());
        assert!(acquire("2001:db8:0:1::1").is_some());
        assert!(acquire("192.0.2.1").is_some());
        permits.pop();
        permits.push(acquire("2001:db8::ffff").unwrap());
        let loopback: Vec<_> = (0..100).map(|_| acquire("127.0.0.1").unwrap()).collect();
        drop((permits, loopback));
        assert!(limit.0.lock().unwrap().is_empty());
        assert_eq!(total.available_permits(), 1000);
    }
}
