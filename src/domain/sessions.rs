//! Sessions: who is signed in where.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};

use crate::{
    app::App,
    auth::token::Refresh,
    db::Tx,
    entity::{session, user, user::ServerRole},
    error::Error,
    id::{SessionId, UserId},
};

/// A session that nobody renews ends after this time.
pub const IDLE: TimeDelta = TimeDelta::days(14);
/// However often it is renewed, a session ends after this time.
pub const ABSOLUTE: TimeDelta = TimeDelta::days(30);

/// Who asks. Made by [`authenticate`] alone.
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

/// Who sent this access token. The session behind it is looked up each time, so that ending one works
/// at once.
pub async fn authenticate(app: &App, token: &str) -> Result<Viewer, Error> {
    let now = app.clock.now();
    let access = app
        .keys
        .read_access(token, now)
        .ok_or_else(Error::unauthenticated)?;
    let (session, user) = session::Entity::find_by_id(access.session)
        .find_also_related(user::Entity)
        .one(app.db.read())
        .await?
        .ok_or_else(Error::unauthenticated)?;
    let user = user.ok_or_else(Error::unauthenticated)?;
    if session.ended_at.is_some() || session.expires_at <= now || user.id != access.user {
        return Err(Error::unauthenticated());
    }
    Ok(Viewer {
        user: user.id,
        session: session.id,
        role: user.role,
        token_expires_at: access.expires_at,
    })
}

/// Begins a session in the transaction that proved who it is for.
pub async fn start_in(
    tx: &Tx,
    app: &App,
    user: &user::Model,
    device: &Device,
) -> Result<SignedIn, Error> {
    let now = app.clock.now();
    let session = session::ActiveModel {
        id: Set(SessionId::mint()),
        user_id: Set(user.id),
        label: Set(device
            .user_agent
            .clone()
            .unwrap_or_else(|| "Unknown".to_owned())),
        ip_address: Set(device.ip_address.map(|address| address.to_string())),
        refresh_generation: Set(0),
        refreshed_at: Set(now),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now + ABSOLUTE),
        ended_at: Set(None),
        end_reason: Set(None),
    };
    let session = session.insert(tx).await?;
    tokens(app, user, &session)
}

/// The tokens of a session as it stands now.
pub fn tokens(app: &App, user: &user::Model, session: &session::Model) -> Result<SignedIn, Error> {
    let now = app.clock.now();
    let lifetime = app.config.access_token_lifetime;
    let (access_token, access_token_expires_at) =
        app.keys.access(user.id, session.id, now, lifetime)?;
    let refresh = Refresh {
        session: session.id,
        generation: session.refresh_generation,
    };
    Ok(SignedIn {
        viewer: Viewer {
            user: user.id,
            session: session.id,
            role: user.role,
            token_expires_at: access_token_expires_at,
        },
        access_token,
        access_token_expires_at,
        refresh_token: app.keys.refresh(refresh),
        refresh_token_expires_at: session.expires_at.min(session.refreshed_at + IDLE),
    })
}
