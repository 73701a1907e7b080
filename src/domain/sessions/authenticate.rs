//! Who sent an access token.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};

use crate::{
    auth::{session_cache::CachedSession, token::Access},
    core::Core,
    domain::sessions::Viewer,
    entity::{
        session,
        user::{self, ServerRole},
    },
    error::Error,
    id::SessionId,
};

/// `last_used_at` is as exact as this: writing it with each request would cost more than it tells.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Who sent this access token. The session behind it is looked up, or was a moment ago and none has ended since, so
/// that ending one works at once.
pub async fn authenticate(core: &Core, token: &str) -> Result<Viewer, Error> {
    let now = core.clock.now();
    let access = core.keys.read_access(token, now);
    let access = access.ok_or_else(Error::unauthenticated)?;
    // Asked for first: what ends while the row is read makes it old.
    let endings = core.db.session_endings();
    let known = match core.sessions.get(access.session, endings) {
        Some(known) => known,
        None => look_up(core, &access, endings).await?,
    };
    if known.user != access.user || known.expires_at <= now {
        return Err(Error::unauthenticated());
    }
    if now - known.last_used_at >= TOUCH_EVERY {
        touch(core, access.session, now);
        let last_used_at = now;
        core.sessions.remember(
            access.session,
            CachedSession {
                last_used_at,
                ..known
            },
        );
    }
    Ok(Viewer {
        user: access.user,
        session: access.session,
        role: known.role,
        token_expires_at: access.expires_at,
    })
}

async fn look_up(core: &Core, access: &Access, endings: u64) -> Result<CachedSession, Error> {
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
    let known = CachedSession {
        user: access.user,
        role,
        last_used_at,
        expires_at,
        endings,
    };
    core.sessions.remember(access.session, known);
    Ok(known)
}

/// Notes that the session is in use, without the request waiting for it.
fn touch(core: &Core, session: SessionId, now: DateTime<Utc>) {
    let db = core.db.clone();
    core.tasks.spawn(async move {
        let update = &session::Entity::update_many()
            .col_expr(session::Column::LastUsedAt, Expr::value(now))
            .filter(session::Column::Id.eq(session))
            .filter(session::Column::LastUsedAt.lte(now - TOUCH_EVERY));
        let written = db.write(|tx| async move { Ok(update.clone().exec(&*tx).await?) });
        if let Err(error) = written.await {
            tracing::warn!(%error, session.id = %session, "a session's last use was not noted");
        }
    });
}
