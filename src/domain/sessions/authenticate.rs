//! Who sent an access token.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::FromQueryResult;

use crate::{
    auth::{session_cache::CachedSession, token::Access},
    core::Core,
    db,
    domain::sessions::Viewer,
    entity::user::ServerRole,
    error::Error,
    id::SessionId,
};

/// `last_used_at` is as exact as this: writing it with each request would cost more than it tells.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

#[derive(FromQueryResult)]
struct Holder {
    role: ServerRole,
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

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
    let found: Option<Holder> = db::fetch_one(
        core.db.read(),
        r#"SELECT u.role, s.last_used_at, s.expires_at FROM session s JOIN "user" u ON u.id = s.user_id
           WHERE s.id = ? AND s.user_id = ? AND s.ended_at IS NULL"#,
        [access.session.into(), access.user.into()],
    )
    .await?;
    let holder = found.ok_or_else(Error::unauthenticated)?;
    let known = CachedSession {
        user: access.user,
        role: holder.role,
        last_used_at: holder.last_used_at,
        expires_at: holder.expires_at,
        endings,
    };
    core.sessions.remember(access.session, known);
    Ok(known)
}

/// Notes that the session is in use, without the request waiting for it.
fn touch(core: &Core, session: SessionId, now: DateTime<Utc>) {
    let db = core.db.clone();
    core.tasks.spawn(async move {
        let values = [now.into(), session.into(), (now - TOUCH_EVERY).into()];
        let text = "UPDATE session SET last_used_at = ? WHERE id = ? AND last_used_at <= ?";
        let written = db.write(|tx| {
            let values = values.clone();
            async move { db::execute(&*tx, text, values).await }
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, session.id = %session, "a session's last use was not noted");
        }
    });
}
