//! The caller of a request: the user, the client's address and the request id.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use crate::domain::sessions::{Device, Viewer};

/// Who sent a request, and from where.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The user, when the request has a valid token.
    pub viewer: Option<Viewer>,
    /// The user who signed in within this request; the rest of the response is resolved for them.
    pub signed_in: Arc<OnceLock<Viewer>>,
    /// The client's network address.
    pub client_addr: Option<IpAddr>,
    /// The client's `User-Agent` header.
    pub user_agent: Option<String>,
    /// Identifies the request in the log.
    pub request_id: String,
}

impl Caller {
    /// The signed-in user.
    #[must_use]
    pub fn viewer(&self) -> Option<&Viewer> {
        self.signed_in.get().or(self.viewer.as_ref())
    }

    /// The client's details that a new session stores.
    #[must_use]
    pub fn device(&self) -> Device {
        Device {
            ip_address: self.client_addr,
            user_agent: self.user_agent.clone(),
        }
    }
}
