//! Network namespaces for a test: each node has one cable to clients, one to PostgreSQL and one to Redis. A cut cable
//! drops every packet silently, as a real one does.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

/// The other end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cable {
    /// Clients of the node.
    People,
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

const CABLES: [Cable; 3] = [Cable::People, Cable::Postgres, Cable::Redis];
/// Addresses of one network. The last byte of an address contains eight of these.
const ADDRESSES: usize = 32;

/// The number of networks of this process.
static NETWORKS: AtomicUsize = AtomicUsize::new(0);

/// Network namespaces and their cables. They are deleted with the test.
pub(crate) struct Network {
    number: usize,
    nodes: usize,
}

impl Network {
    /// Creates networks for this number of nodes.
    pub(crate) fn of(nodes: usize) -> Self {
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let network = Self { number, nodes };
        for node in 0..nodes {
            let inside = network.name(node);
            ip(&["netns", "add", &inside]);
            ip(&["-n", &inside, "link", "set", "lo", "up"]);
            for cable in CABLES {
                let (near, far) = (network.end(node, cable, 'a'), network.end(node, cable, 'b'));
                ip(&["link", "add", &near, "type", "veth", "peer", "name", &far]);
                ip(&["link", "set", &far, "netns", &inside]);
                let (here, there) = (network.here(node, cable), network.there(node, cable));
                ip(&["addr", "add", &format!("{here}/30"), "dev", &near]);
                ip(&[
                    "-n",
                    &inside,
                    "addr",
                    "add",
                    &format!("{there}/30"),
                    "dev",
                    &far,
                ]);
                ip(&["link", "set", &near, "up"]);
                ip(&["-n", &inside, "link", "set", &far, "up"]);
            }
        }
        network
    }

    /// Returns the command prefix of a program that runs inside.
    pub(crate) fn inside(&self, node: usize) -> [String; 4] {
        ["ip", "netns", "exec", &self.name(node)].map(str::to_owned)
    }

    /// Returns the address of the host's end of a cable.
    pub(crate) fn here(&self, node: usize, cable: Cable) -> String {
        self.address(node, cable, 1)
    }

    /// Returns the address of the node's end of a cable.
    pub(crate) fn there(&self, node: usize, cable: Cable) -> String {
        self.address(node, cable, 2)
    }

    /// Returns the addresses of the host's ends of these cables, for all nodes.
    pub(crate) fn all(&self, cable: Cable) -> Vec<String> {
        (0..self.nodes).map(|node| self.here(node, cable)).collect()
    }

    /// Cuts a cable, or repairs it.
    pub(crate) fn set(&self, node: usize, cable: Cable, state: &str) {
        ip(&["link", "set", &self.end(node, cable, 'a'), state]);
    }

    fn name(&self, node: usize) -> String {
        format!("hd{}n{}{node}", std::process::id(), self.number)
    }

    fn end(&self, node: usize, cable: Cable, end: char) -> String {
        format!("{}{}{end}", self.name(node), index_of(cable))
    }

    /// Returns a name that differs from other tests on this machine.
    fn address(&self, node: usize, cable: Cable, end: usize) -> String {
        let process = std::process::id();
        let cable = node * CABLES.len() + index_of(cable);
        let last = self.number * ADDRESSES + cable * 4 + end;
        format!("10.{}.{}.{last}", 64 + process / 256 % 128, process % 256)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in 0..self.nodes {
            // A missing namespace is no error.
            let name = self.name(node);
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
    }
}

fn index_of(cable: Cable) -> usize {
    CABLES.iter().position(|&known| known == cable).unwrap()
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(
        output.status.success(),
        "ip {}: {} (networks of its own need root, and Debian's iproute2)",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
