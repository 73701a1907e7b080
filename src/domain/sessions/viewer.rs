//! The signed-in user of a request, and the device that sent it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::{
    entity::user::ServerRole,
    id::{SessionId, UserId},
};

/// The authenticated caller of a request. Only [`viewer()`](super::viewer()) and a sign-in construct it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Viewer {
    /// The user.
    pub user: UserId,
    /// The session of the access token.
    pub session: SessionId,
    /// The role on the whole server.
    pub role: ServerRole,
    /// When the access token of the request expires.
    pub token_expires_at: DateTime<Utc>,
    /// Whether the user has to set up a second factor before anything else.
    pub lacks_second_factor: bool,
}

/// The result of a sign-in or of a refreshed session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user who is signed in now.
    pub viewer: Viewer,
    /// The bearer token for requests.
    pub access_token: String,
    /// When the access token expires.
    pub access_token_expires_at: DateTime<Utc>,
    /// The token that refreshes the session.
    pub refresh_token: String,
    /// When the refresh token expires if it is not used.
    pub refresh_token_expires_at: DateTime<Utc>,
}

/// The origin of a request, as far as a session stores it.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The network address.
    pub ip_address: Option<IpAddr>,
    /// The `User-Agent` of the client.
    pub user_agent: Option<String>,
}

impl Device {
    pub(super) fn address(&self) -> Option<String> {
        self.ip_address.map(|address| address.to_string())
    }
}
