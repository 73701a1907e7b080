//! Renewing sessions: each refresh token works once, and a second use of an old one is a theft.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect, Set};

use crate::{
    auth::token::Refresh,
    core::Core,
    db::Tx,
    domain::sessions::{Device, SignedIn, Which, end_in, label::label, lapses_at, tokens},
    entity::{
        session::{self, SessionEndReason},
        user,
    },
    error::{Code, Error},
};

/// A client whose answer was lost, or whose second tab asks too, may use the token before the newest
/// for this long, and is given the same successor.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Exchanges a refresh token for fresh tokens. A token older than the newest ends the session: either
/// its owner or a thief holds a copy, and only signing in again tells which.
pub async fn refresh(core: &Core, token: &str, device: &Device) -> Result<SignedIn, Error> {
    let asked = core.keys.read_refresh(token).ok_or_else(no_good)?;
    let renewed = core
        .db
        .write(|tx| async move { refresh_in(&tx, core, asked, device).await })
        .await?;
    // The end of a session is committed, so it is no error inside.
    renewed.ok_or_else(no_good)
}

fn no_good() -> Error {
    let message = "This session is over or was renewed elsewhere. Sign in again.";
    Error::new(Code::WrongCredentials, message)
}

async fn refresh_in(
    tx: &Tx,
    core: &Core,
    asked: Refresh,
    device: &Device,
) -> Result<Option<SignedIn>, Error> {
    let found = session::Entity::find_by_id(asked.session)
        .lock_exclusive()
        .one(tx)
        .await?;
    let Some(session) = found.filter(|session| session.ended_at.is_none()) else {
        return Ok(None);
    };
    let Some(user) = user::Entity::find_by_id(session.user_id).one(tx).await? else {
        return Ok(None);
    };
    let now = core.clock.now();
    let session = match judge(&session, asked.generation, now) {
        Verdict::Renew => {
            let generation = session.refresh_generation.saturating_add(1);
            let mut renewed = session.into_active_model();
            renewed.refresh_generation = Set(generation);
            renewed.refreshed_at = Set(now);
            renewed.last_used_at = Set(now);
            renewed.label = Set(label(device.user_agent.as_deref()));
            renewed.ip_address = Set(device.address());
            renewed.update(tx).await?
        }
        Verdict::Repeat => session,
        Verdict::Refuse => return Ok(None),
        Verdict::End(reason) => {
            end_in(tx, user.id, Which::These(&[session.id]), reason, now).await?;
            return Ok(None);
        }
    };
    tokens(core, user.role, &session).map(Some)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is the newest token.
    Renew,
    /// It is the one before, a moment later.
    Repeat,
    /// It is newer than the session, as after restoring an old backup.
    Refuse,
    /// The session must not go on.
    End(SessionEndReason),
}

fn judge(session: &session::Model, generation: i32, now: DateTime<Utc>) -> Verdict {
    let behind = session.refresh_generation.saturating_sub(generation);
    if now >= lapses_at(session) {
        return Verdict::End(SessionEndReason::Expired);
    }
    match behind {
        0 => Verdict::Renew,
        1 if now - session.refreshed_at <= GRACE => Verdict::Repeat,
        1.. => Verdict::End(SessionEndReason::Revoked),
        _ => Verdict::Refuse,
    }
}
