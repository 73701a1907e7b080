//! Which addresses the server connects to.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The addresses that are not on the public internet, from the IANA registries of special-purpose addresses, and the
/// address of the metadata service of Azure.
const SPECIAL: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

/// The IPv6 addresses that can be public. Loopback, link-local, unique local and mapped IPv4 addresses are outside.
const GLOBAL_UNICAST: &str = "2000::/3";

/// Decides on addresses, and resolves names to those that are allowed.
#[derive(Clone, Debug)]
pub(super) struct AllowedAddresses {
    special: Arc<[IpNet]>,
    global_unicast: Option<IpNet>,
    /// The networks that the operator allows.
    private: Arc<[IpNet]>,
}

impl AllowedAddresses {
    pub(super) fn new(private: &[IpNet]) -> Self {
        Self {
            special: SPECIAL.iter().filter_map(|net| net.parse().ok()).collect(),
            global_unicast: GLOBAL_UNICAST.parse().ok(),
            private: private.into(),
        }
    }

    /// Whether the server may connect to the address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let is_in = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        let may_be_public = address.is_ipv4()
            || self
                .global_unicast
                .is_some_and(|net| net.contains(&address));
        (may_be_public && !is_in(&self.special)) || is_in(&self.private)
    }
}

impl Resolve for AllowedAddresses {
    /// The client connects to the addresses that this returns, so a second resolution cannot lead to others.
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found
                .filter(|address| allowed.contains(address.ip()))
                .collect();
            if found.is_empty() {
                let reason = format!("{} has no allowed address", name.as_str());
                return Err(reason.into());
            }
            Ok::<Addrs, _>(Box::new(found.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(private: &[&str], address: &str) -> bool {
        let private: Vec<IpNet> = private.iter().map(|net| net.parse().unwrap()).collect();
        AllowedAddresses::new(&private).contains(address.parse().unwrap())
    }

    #[test]
    fn all_special_networks_are_networks() {
        assert_eq!(AllowedAddresses::new(&[]).special.len(), SPECIAL.len());
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in ["9.9.9.9", "93.184.215.14", "2620:fe::fe", "2a00:1450::1"] {
            assert!(allows(&[], address), "{address}");
        }
    }

    #[test]
    fn addresses_inside_a_network_are_refused() {
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
            "172.31.0.1",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:9.9.9.9",
            "::9.9.9.9",
            "64:ff9b::a00:1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!allows(&[], address), "{address}");
        }
    }

    #[test]
    fn the_operator_allows_networks() {
        assert!(allows(&["10.0.0.0/8", "::1/128"], "10.1.2.3"));
        assert!(allows(&["10.0.0.0/8", "::1/128"], "::1"));
        assert!(!allows(&["10.0.0.0/8"], "127.0.0.1"));
        assert!(!allows(&["10.0.0.0/8"], "::ffff:10.1.2.3"));
    }
}
