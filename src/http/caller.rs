//! Who sends a request, and from where.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, header::AUTHORIZATION, header::USER_AGENT, request::Parts};

use super::{Door, headers::RequestId, server::Slot};
use crate::{
    domain::sessions::{self, Viewer},
    error::{Code, Error},
    graphql::context::Caller,
};

/// Longest access token that is looked at, in bytes.
const TOKEN_LENGTH: usize = 4096;
/// How much of a client's description of itself is kept, in characters.
const USER_AGENT_LENGTH: usize = 256;

/// The connection that a request came over.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The other end's address.
    pub(super) address: SocketAddr,
    /// Its place among the connections, kept for as long as anything uses the connection.
    _slot: Arc<Slot>,
}

impl Peer {
    /// The other end of a connection that was just accepted.
    pub(super) fn new(address: SocketAddr, slot: Slot) -> Self {
        Self {
            address,
            _slot: Arc::new(slot),
        }
    }
}

impl Door {
    /// The person behind an access token. A token that is not good, any more or at all, is nobody's.
    pub(super) async fn authenticate(&self, token: Option<&str>) -> Result<Option<Viewer>, Error> {
        let Some(token) = token.filter(|token| token.len() <= TOKEN_LENGTH) else {
            return Ok(None);
        };
        match sessions::authenticate(&self.app, token).await {
            Ok(viewer) => Ok(Some(viewer)),
            Err(error) if error.code() == Code::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What a request tells of its sender, but for who it is.
pub(super) fn of(parts: &Parts) -> Caller {
    let request_id = parts.extensions.get::<RequestId>();
    let user_agent = parts
        .headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Caller {
        client_addr: address(parts),
        user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_LENGTH).collect()),
        request_id: request_id.map(|id| id.0.clone()).unwrap_or_default(),
        ..Caller::default()
    }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts
        .extensions
        .get::<Peer>()
        .map(|peer| peer.address.ip().to_canonical())
}

/// The token of an `Authorization: Bearer …` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(bearer_in)
}

/// The token of a `Bearer …` text.
pub(super) fn bearer_in(text: &str) -> Option<&str> {
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
