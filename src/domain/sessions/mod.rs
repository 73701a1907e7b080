//! Sessions: who is signed in where.

mod authenticate;
mod end;
mod label;
mod refresh;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Select, Set};

use crate::{
    auth::token::Refresh,
    core::Core,
    db::Tx,
    entity::{session, user, user::ServerRole},
    error::Error,
    id::{SessionId, UserId},
};

pub use authenticate::authenticate;
pub use end::{Which, end_in, revoke, revoke_others, sign_out};
pub use refresh::refresh;

/// A session that nobody renews ends after this time.
pub const IDLE: TimeDelta = TimeDelta::days(14);
/// However often it is renewed, a session ends after this time.
pub const ABSOLUTE: TimeDelta = TimeDelta::days(30);

/// Who asks. Made by [`authenticate()`] and by signing in alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Viewer {
    /// The person.
    pub user: UserId,
    /// Under which session.
    pub session: SessionId,
    /// What they may do on the whole server.
    pub role: ServerRole,
    /// When the token that came with the request lapses.
    pub token_expires_at: DateTime<Utc>,
}

/// A new or renewed sign-in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who is signed in now.
    pub viewer: Viewer,
    /// Bearer token for requests.
    pub access_token: String,
    /// When the access token lapses.
    pub access_token_expires_at: DateTime<Utc>,
    /// Token that renews the session.
    pub refresh_token: String,
    /// When the refresh token lapses unless it is used.
    pub refresh_token_expires_at: DateTime<Utc>,
}

/// Where a request comes from, as far as a session remembers it.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Network address.
    pub ip_address: Option<IpAddr>,
    /// The client's own description.
    pub user_agent: Option<String>,
}

impl Device {
    fn address(&self) -> Option<String> {
        self.ip_address.map(|address| address.to_string())
    }
}

/// The viewer's own sessions that have not ended.
#[must_use]
pub fn live(viewer: &Viewer, now: DateTime<Utc>) -> Select<session::Entity> {
    session::Entity::find()
        .filter(session::Column::UserId.eq(viewer.user))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now))
        .filter(session::Column::RefreshedAt.gt(now - IDLE))
}

/// Begins a session in the transaction that proved who it is for.
pub async fn start_in(
    tx: &Tx,
    core: &Core,
    user: &user::Model,
    device: &Device,
) -> Result<SignedIn, Error> {
    let now = core.clock.now();
    let session = session::ActiveModel {
        id: Set(SessionId::mint()),
        user_id: Set(user.id),
        label: Set(label::label(device.user_agent.as_deref())),
        ip_address: Set(device.address()),
        refresh_generation: Set(0),
        refreshed_at: Set(now),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now + ABSOLUTE),
        ended_at: Set(None),
        end_reason: Set(None),
    };
    let session = session.insert(tx).await?;
    tokens(core, user.role, &session)
}

/// When a session ends unless it is renewed.
#[must_use]
pub fn lapses_at(session: &session::Model) -> DateTime<Utc> {
    session.expires_at.min(session.refreshed_at + IDLE)
}

/// The tokens of a session as it stands now.
fn tokens(core: &Core, role: ServerRole, session: &session::Model) -> Result<SignedIn, Error> {
    let now = core.clock.now();
    let lifetime = core.config.access_token_lifetime;
    let (access_token, access_token_expires_at) =
        core.keys
            .access(session.user_id, session.id, now, lifetime)?;
    let refresh = Refresh {
        session: session.id,
        generation: session.refresh_generation,
    };
    Ok(SignedIn {
        viewer: Viewer {
            user: session.user_id,
            session: session.id,
            role,
            token_expires_at: access_token_expires_at,
        },
        access_token,
        access_token_expires_at,
        refresh_token: core.keys.refresh(refresh),
        refresh_token_expires_at: lapses_at(session),
    })
}
