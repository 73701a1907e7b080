//! Whose budget an operation spends.

use std::net::IpAddr;

use uuid::Uuid;

use super::action::Action;
use crate::{auth::rate_limit::network, id::UserId};

/// Who pays for operations: a user, or the network of an anonymous caller. None for an internal call.
#[derive(Clone, Copy, Debug)]
pub struct Payer(pub(super) Option<(Uuid, Action)>);

impl Payer {
    /// The payer of a caller.
    #[must_use]
    pub fn new(user: Option<UserId>, address: Option<IpAddr>) -> Self {
        let of_network = |address| match network(address) {
            IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let anonymous = || {
            Some((
                Uuid::from_u128(of_network(address?)),
                Action::RunAnonymously,
            ))
        };
        Self(user.map(|user| (user.0, Action::Run)).or_else(anonymous))
    }

    /// Identifies the payer among those of this node.
    #[must_use]
    pub fn id(self) -> Option<Uuid> {
        self.0.map(|(id, _)| id)
    }
}
