//! The table of open connections.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ipnet::IpNet;
use tokio::sync::Notify;

use super::networks::{self, NetworkCounts};
use crate::id::UserId;

/// One in this many connections, but at least [`MIN_RESERVED`], is never protected: room for health checks and for
/// signing in remains while the rest serve signed-in users.
const RESERVED_SHARE: usize = 64;
const MIN_RESERVED: usize = 4;
/// One in this many connections, but at least [`MIN_ANONYMOUS_SOCKETS`], may be a socket without a user.
const ANONYMOUS_SOCKET_SHARE: usize = 8;
const MIN_ANONYMOUS_SOCKETS: usize = 4;
/// Maximum protected connections of one user: more than a user may have streams.
const PROTECTED_PER_USER: usize = 32;
/// How many of the oldest connections are compared to find the one that is closed.
const COMPARED: usize = 256;

/// The number of a connection. Older ones have lower numbers.
type Number = u64;

/// All open connections of the server. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::http) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    maximum: usize,
    table: Mutex<Table>,
    /// Notified when a connection ends.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: Number,
    open: HashMap<Number, Open>,
    networks: NetworkCounts,
    /// Connections that may be closed for a new one.
    evictable: BTreeSet<Number>,
    /// Sockets without a user that may be closed for a new one.
    anonymous_sockets: BTreeSet<Number>,
    /// Protected connections per user.
    protected: HashMap<UserId, usize>,
}

/// What the table knows about one connection.
#[derive(Debug)]
struct Open {
    signals: Arc<Signals>,
    /// The client, if it is known and counted.
    client: Option<IpAddr>,
    /// The user whose request or socket protects the connection.
    user: Option<UserId>,
}

#[derive(Debug, Default)]
struct Signals {
    evicted: Notify,
    /// Whether a request is being served.
    is_busy: AtomicBool,
}

/// The connection that a request arrived on. Held for as long as a request, a stream or a socket uses it.
#[derive(Clone, Debug)]
pub(in crate::http) struct ConnectionInfo {
    /// Address of the peer: the client, or a proxy.
    pub(in crate::http) peer: SocketAddr,
    slot: Arc<Slot>,
}

#[derive(Debug)]
struct Slot {
    number: Number,
    signals: Arc<Signals>,
    connections: Connections,
}

/// Marks a connection as busy until it is dropped.
#[derive(Debug)]
pub(in crate::http) struct BusyConnection(Arc<Signals>);

impl Connections {
    pub(in crate::http) fn new(maximum: usize) -> Self {
        Self(Arc::new(Shared {
            maximum,
            table: Mutex::default(),
            ended: Notify::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        let table = &self.0.table;
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a new connection. If all connections are in use, closes another one and waits until it has ended. `None`
    /// when the client has the maximum. The clients of a proxy are counted when their requests arrive.
    pub(in crate::http) async fn enter(
        &self,
        peer: SocketAddr,
        is_proxy: bool,
    ) -> Option<ConnectionInfo> {
        let client = Some(peer.ip()).filter(|_| !is_proxy);
        let slot = {
            let mut table = self.lock();
            if !client.is_none_or(|client| table.networks.add(client)) {
                return None;
            }
            if table.open.len() >= self.0.maximum {
                table.evict(Pool::All);
            }
            let number = table.next;
            table.next += 1;
            let signals = Arc::new(Signals::default());
            let open = Open {
                signals: Arc::clone(&signals),
                client,
                user: None,
            };
            table.open.insert(number, open);
            table.evictable.insert(number);
            Arc::new(Slot {
                number,
                signals,
                connections: self.clone(),
            })
        };
        while self.lock().open.len() > self.0.maximum {
            self.0.ended.notified().await;
        }
        Some(ConnectionInfo { peer, slot })
    }

    fn reserved(&self) -> usize {
        (self.0.maximum / RESERVED_SHARE).max(MIN_RESERVED)
    }

    fn max_anonymous_sockets(&self) -> usize {
        (self.0.maximum / ANONYMOUS_SOCKET_SHARE).max(MIN_ANONYMOUS_SOCKETS)
    }
}

impl ConnectionInfo {
    /// Records the client of a request that arrived through a proxy. False when the client has the maximum of
    /// connections.
    pub(in crate::http) fn set_client(&self, client: IpAddr) -> bool {
        let mut table = self.slot.connections.lock();
        let Some(open) = table.open.get(&self.slot.number) else {
            return true;
        };
        let former = open.client;
        if former == Some(client) {
            return true;
        }
        let has_room = table.networks.add(client);
        if let Some(former) = former {
            table.networks.remove(former);
        }
        if let Some(open) = table.open.get_mut(&self.slot.number) {
            open.client = Some(client).filter(|_| has_room);
        }
        has_room
    }

    /// Marks the connection as busy. A busy connection is closed for a new one only if no other is left.
    pub(in crate::http) fn begin_request(&self) -> BusyConnection {
        let signals = Arc::clone(&self.slot.signals);
        signals.is_busy.store(true, Ordering::Relaxed);
        BusyConnection(signals)
    }

    /// Protects the connection while it serves this user, or ends the protection.
    pub(in crate::http) fn set_user(&self, user: Option<UserId>) {
        let connections = &self.slot.connections;
        let maximum = connections.0.maximum - connections.reserved();
        connections.lock().set_user(self.slot.number, user, maximum);
    }

    /// Counts the connection as a socket without a user, until [`ConnectionInfo::set_user`]. Closes another one if too
    /// many are open.
    pub(in crate::http) fn begin_anonymous_socket(&self) {
        let connections = &self.slot.connections;
        let mut table = connections.lock();
        if table.anonymous_sockets.len() >= connections.max_anonymous_sockets() {
            table.evict(Pool::AnonymousSockets);
        }
        table.anonymous_sockets.insert(self.slot.number);
    }

    /// Completes when the connection must make room for another one.
    pub(in crate::http) async fn evicted(&self) {
        self.slot.signals.evicted.notified().await;
    }
}

/// The connections among which one is closed.
#[derive(Clone, Copy)]
enum Pool {
    All,
    AnonymousSockets,
}

impl Table {
    /// Closes one connection of a pool: an idle one rather than a busy one, then one of the client with the most
    /// connections, then the oldest.
    fn evict(&mut self, pool: Pool) {
        let pool = match pool {
            Pool::All => &self.evictable,
            Pool::AnonymousSockets => &self.anonymous_sockets,
        };
        let oldest = pool.iter().take(COMPARED);
        let candidates: Vec<_> = oldest
            .filter_map(|number| Some((*number, self.open.get(number)?)))
            .map(|(number, open)| (number, open, open.client.and_then(networks::widest)))
            .collect();
        let mut counts: HashMap<Option<IpNet>, usize> = HashMap::new();
        for (_, _, network) in &candidates {
            *counts.entry(*network).or_default() += 1;
        }
        let chosen = candidates.iter().min_by_key(|(number, open, network)| {
            let is_busy = open.signals.is_busy.load(Ordering::Relaxed);
            (is_busy, Reverse(counts.get(network)), *number)
        });
        if let Some((number, open, _)) = chosen {
            open.signals.evicted.notify_one();
            let number = *number;
            self.evictable.remove(&number);
            self.anonymous_sockets.remove(&number);
        }
    }

    fn set_user(&mut self, number: Number, user: Option<UserId>, max_protected: usize) {
        let Some(open) = self.open.get_mut(&number) else {
            return;
        };
        if user.is_some() {
            self.anonymous_sockets.remove(&number);
        }
        if open.user == user {
            return;
        }
        if let Some(former) = open.user.take() {
            release(&mut self.protected, former);
            self.evictable.insert(number);
        }
        let Some(user) = user else { return };
        let protected = self.open.len() - self.evictable.len();
        let count = self.protected.get(&user).copied().unwrap_or_default();
        // A connection that is being closed already is not protected any more.
        if protected < max_protected && count < PROTECTED_PER_USER && self.evictable.remove(&number)
        {
            *self.protected.entry(user).or_default() += 1;
            if let Some(open) = self.open.get_mut(&number) {
                open.user = Some(user);
            }
        }
    }

    fn remove(&mut self, number: Number) {
        self.evictable.remove(&number);
        self.anonymous_sockets.remove(&number);
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        if let Some(client) = open.client {
            self.networks.remove(client);
        }
        if let Some(user) = open.user {
            release(&mut self.protected, user);
        }
    }
}

fn release(protected: &mut HashMap<UserId, usize>, user: UserId) {
    if let Some(count) = protected.get_mut(&user) {
        *count -= 1;
        if *count == 0 {
            protected.remove(&user);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.lock().remove(self.number);
        self.connections.0.ended.notify_one();
    }
}

impl Drop for BusyConnection {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A connection from this address, if it is accepted without waiting.
    fn enter(connections: &Connections, peer: &str) -> Option<ConnectionInfo> {
        let peer = SocketAddr::new(peer.parse().unwrap(), 4000);
        connections.enter(peer, false).now_or_never().flatten()
    }

    fn is_evicted(info: &ConnectionInfo) -> bool {
        info.evicted().now_or_never().is_some()
    }

    #[test]
    fn a_client_that_has_the_maximum_is_rejected() {
        let connections = Connections::new(1_000);
        let open: Vec<_> = (0..64)
            .map(|_| enter(&connections, "192.0.2.1").unwrap())
            .collect();
        assert!(enter(&connections, "192.0.2.1").is_none());
        assert!(enter(&connections, "192.0.2.2").is_some());
        drop(open);
        assert!(enter(&connections, "192.0.2.1").is_some());
        let table = connections.lock();
        assert!(table.open.is_empty() && table.evictable.is_empty());
        assert!(table.networks.is_empty());
    }

    #[test]
    fn a_new_connection_replaces_one_of_the_client_with_the_most() {
        let connections = Connections::new(16);
        let busy = enter(&connections, "198.51.100.1").unwrap();
        let request = busy.begin_request();
        let quiet = enter(&connections, "198.51.100.2").unwrap();
        let mut many: Vec<_> = (0..14)
            .map(|_| enter(&connections, "192.0.2.1").unwrap())
            .collect();
        // It waits until the other has ended.
        let peer = SocketAddr::new("203.0.113.1".parse().unwrap(), 4000);
        let mut next = Box::pin(connections.enter(peer, false));
        assert!((&mut next).now_or_never().is_none());
        assert!(is_evicted(&many[0]));
        assert!(!is_evicted(&many[1]) && !is_evicted(&quiet));
        many.remove(0);
        let next = next.now_or_never().flatten().unwrap();
        // All clients have one connection: the oldest idle one is closed.
        drop(many);
        let others: Vec<_> = (10..23)
            .map(|n| enter(&connections, &format!("203.0.113.{n}")).unwrap())
            .collect();
        assert!(enter(&connections, "203.0.113.99").is_none());
        assert!(is_evicted(&quiet));
        drop(quiet);
        drop(request);
        assert!(enter(&connections, "203.0.113.99").is_some());
        assert!(!is_evicted(&busy) && !is_evicted(&next) && others.len() == 13);
    }

    #[test]
    fn connections_of_users_are_kept() {
        let connections = Connections::new(16);
        let user = UserId::mint();
        let his = enter(&connections, "192.0.2.1").unwrap();
        his.set_user(Some(user));
        let others: Vec<_> = (0..15)
            .map(|_| enter(&connections, "192.0.2.1").unwrap())
            .collect();
        for other in &others {
            assert!(enter(&connections, "203.0.113.1").is_none());
            assert!(is_evicted(other) && !is_evicted(&his));
        }
        his.set_user(None);
        assert!(connections.lock().protected.is_empty());
        assert_eq!(connections.lock().evictable.len(), 1);
    }

    #[test]
    fn users_cannot_protect_all_connections() {
        let connections = Connections::new(64);
        let open: Vec<_> = (0..64)
            .map(|n| enter(&connections, &format!("192.0.2.{n}")).unwrap())
            .collect();
        let one = UserId::mint();
        for info in &open[..40] {
            info.set_user(Some(one));
        }
        assert_eq!(connections.lock().protected[&one], PROTECTED_PER_USER);
        for info in &open[32..] {
            info.set_user(Some(UserId::mint()));
        }
        assert_eq!(connections.lock().evictable.len(), MIN_RESERVED);
        // A health check still gets a connection.
        assert!(enter(&connections, "127.0.0.1").is_none());
        let evicted = open.iter().filter(|info| is_evicted(info));
        assert_eq!(evicted.count(), 1);
    }

    #[test]
    fn anonymous_sockets_have_a_share() {
        let connections = Connections::new(64);
        let open: Vec<_> = (0..9)
            .map(|n| enter(&connections, &format!("192.0.2.{}", n / 2)).unwrap())
            .collect();
        for info in &open[..8] {
            info.begin_anonymous_socket();
        }
        // A socket that signs in makes room.
        open[7].set_user(Some(UserId::mint()));
        open[8].begin_anonymous_socket();
        assert!(!open.iter().any(is_evicted));
        let one_more = enter(&connections, "203.0.113.1").unwrap();
        one_more.begin_anonymous_socket();
        let evicted: Vec<_> = open.iter().map(is_evicted).collect();
        let first = [true, false, false, false, false, false, false, false, false];
        assert_eq!(evicted, first);
        assert_eq!(connections.lock().anonymous_sockets.len(), 8);
    }

    #[test]
    fn the_clients_of_a_proxy_are_counted_by_request() {
        let connections = Connections::new(1_000);
        let proxied = || {
            let peer = SocketAddr::new("10.0.0.1".parse().unwrap(), 4000);
            let entered = connections.enter(peer, true).now_or_never();
            entered.flatten().unwrap()
        };
        let open: Vec<_> = (0..100).map(|_| proxied()).collect();
        let client = "192.0.2.1".parse().unwrap();
        let accepted = open.iter().filter(|info| info.set_client(client));
        assert_eq!(accepted.count(), 64);
        // Another client uses the same connection.
        assert!(open[0].set_client("192.0.2.2".parse().unwrap()));
        assert!(open[99].set_client(client));
        assert!(!open[98].set_client(client));
        drop(open);
        assert!(connections.lock().networks.is_empty());
    }
}
