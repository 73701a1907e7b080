//! Finds the session of an access token.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};

use crate::{
    auth::{session_cache::CachedSession, token::Access},
    core::Core,
    domain::sessions::{Viewer, second_factor::lacks_second_factor},
    entity::{
        session,
        user::{self, ServerRole},
    },
    error::Error,
    id::SessionId,
};

/// The precision of `last_used_at`. Writing it with each request would cost more than it is worth.
const TOUCH_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// Returns the viewer of a valid access token. Its session is read from the cache if no session has ended since it was
/// cached, so that revocation takes effect immediately.
pub async fn viewer(core: &Core, access: &Access) -> Result<Viewer, Error> {
    let now = core.clock.now();
    // Read before the row, so that a session that ends meanwhile invalidates the cached row.
    let endings = core.db.session_endings();
    let session = match core.sessions.get(access.session, endings) {
        Some(session) => session,
        None => load(core, access, endings).await?,
    };
    if session.user != access.user || session.expires_at <= now {
        return Err(Error::unauthenticated());
    }
    if now - session.last_used_at >= TOUCH_INTERVAL {
        touch(core, access.session, now);
        let last_used_at = now;
        core.sessions.insert(
            access.session,
            CachedSession {
                last_used_at,
                ..session
            },
        );
    }
    Ok(Viewer {
        user: access.user,
        session: access.session,
        role: session.role,
        token_expires_at: access.expires_at,
        lacks_second_factor: session.lacks_second_factor,
    })
}

async fn load(core: &Core, access: &Access, endings: u64) -> Result<CachedSession, Error> {
    let found: Option<(ServerRole, DateTime<Utc>, DateTime<Utc>)> =
        session::Entity::find_by_id(access.session)
            .inner_join(user::Entity)
            .filter(session::Column::UserId.eq(access.user))
            .filter(session::Column::EndedAt.is_null())
            .select_only()
            .column(user::Column::Role)
            .columns([session::Column::LastUsedAt, session::Column::ExpiresAt])
            .into_tuple()
            .one(core.db.read())
            .await?;
    let (role, last_used_at, expires_at) = found.ok_or_else(Error::unauthenticated)?;
    let (db, config) = (core.db.read(), &core.config);
    let session = CachedSession {
        user: access.user,
        role,
        lacks_second_factor: lacks_second_factor(db, config, access.user, role).await?,
        last_used_at,
        expires_at,
        endings,
    };
    core.sessions.insert(access.session, session);
    Ok(session)
}

/// Updates `last_used_at` in the background.
fn touch(core: &Core, session: SessionId, now: DateTime<Utc>) {
    let db = core.db.clone();
    core.tasks.spawn(async move {
        let update = &session::Entity::update_many()
            .col_expr(session::Column::LastUsedAt, Expr::value(now))
            .filter(session::Column::Id.eq(session))
            .filter(session::Column::LastUsedAt.lte(now - TOUCH_INTERVAL));
        let written = db.write(|tx| async move { Ok(update.clone().exec(&*tx).await?) });
        if let Err(error) = written.await {
            tracing::warn!(%error, session.id = %session, "the last use of a session could not be stored");
        }
    });
}
