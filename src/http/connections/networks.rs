//! Counts connections by the networks that a client's address belongs to.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;

/// Lengths of prefixes, with the maximum number of connections of one network. A household has all addresses of an
/// IPv6 /64 or /56, a company those of a /48.
const IPV4: &[(u8, usize)] = &[(32, 64)];
const IPV6: &[(u8, usize)] = &[(64, 64), (56, 128), (48, 256)];

/// The number of connections per network.
#[derive(Debug, Default)]
pub(super) struct NetworkCounts(HashMap<IpNet, usize>);

impl NetworkCounts {
    /// Counts one more connection of this client. False when one of its networks has the maximum. Loopback addresses,
    /// which tests and local tools use, have none.
    pub(super) fn add(&mut self, client: IpAddr) -> bool {
        let has_room = client.to_canonical().is_loopback()
            || networks(client).all(|(network, maximum)| self.count(network) < maximum);
        if has_room {
            for (network, _) in networks(client) {
                *self.0.entry(network).or_default() += 1;
            }
        }
        has_room
    }

    /// Counts one connection less.
    pub(super) fn remove(&mut self, client: IpAddr) {
        for (network, _) in networks(client) {
            if let Some(count) = self.0.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(&network);
                }
            }
        }
    }

    fn count(&self, network: IpNet) -> usize {
        self.0.get(&network).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the widest network of a client.
pub(super) fn widest(client: IpAddr) -> Option<IpNet> {
    networks(client).last().map(|(network, _)| network)
}

fn networks(client: IpAddr) -> impl Iterator<Item = (IpNet, usize)> {
    let client = client.to_canonical();
    let lengths = if client.is_ipv4() { IPV4 } else { IPV6 };
    lengths.iter().filter_map(move |(length, maximum)| {
        let network = IpNet::new(client, *length).ok()?.trunc();
        Some((network, *maximum))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts connections of different addresses until one is rejected.
    fn accepted(counts: &mut NetworkCounts, mut client: impl FnMut(u32) -> String) -> usize {
        let addresses = (0..1_000).map(|number| client(number).parse().unwrap());
        let accepted = addresses.take_while(|client| counts.add(*client));
        accepted.count()
    }

    #[test]
    fn addresses_and_prefixes_are_limited() {
        let mut counts = NetworkCounts::default();
        assert_eq!(
            accepted(&mut counts, |_| "192.0.2.1".to_owned()),
            64,
            "an address"
        );
        assert!(!counts.add("::ffff:192.0.2.1".parse().unwrap()));
        assert!(counts.add("192.0.2.2".parse().unwrap()));
        assert_eq!(
            accepted(&mut counts, |n| format!("2001:db8::{n:x}")),
            64,
            "a /64"
        );
        assert_eq!(
            accepted(&mut counts, |n| format!("2001:db8:0:{:x}::1", n % 0xff + 1)),
            64,
            "the rest of a /56"
        );
        assert_eq!(
            accepted(&mut counts, |n| format!("2001:db8:0:{:x}::1", n + 0x100)),
            128,
            "the rest of a /48"
        );
        assert!(counts.add("2001:db8:1::1".parse().unwrap()));
        assert_eq!(accepted(&mut counts, |_| "127.0.0.1".to_owned()), 1_000);
    }

    #[test]
    fn removed_connections_leave_nothing() {
        let mut counts = NetworkCounts::default();
        for _ in 0..2 {
            for client in ["192.0.2.1", "2001:db8::1", "127.0.0.1"] {
                assert!(counts.add(client.parse().unwrap()));
            }
        }
        for _ in 0..2 {
            for client in ["192.0.2.1", "2001:db8::1", "127.0.0.1"] {
                counts.remove(client.parse().unwrap());
            }
        }
        assert!(counts.is_empty());
    }
}
