//! Refreshes sessions. Each refresh token is valid once; reuse of an old one counts as theft and ends the session.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect, Set};

use crate::{
    auth::action_limits::Action,
    auth::token::Refresh,
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{
            Device, SessionFilter, SignedIn, end_in, expires_at, label::label,
            second_factor::lacks_second_factor, start::tokens,
        },
    },
    entity::{
        session::{self, SessionEndReason},
        user,
    },
    error::{Code, Error},
    jobs::{self, AccountMail},
};

/// How long the token before the newest one still works and returns the same successor: the response may have been
/// lost, or a second tab may refresh too.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Exchanges a refresh token for new tokens. A token older than the newest one ends the session, because a thief may
/// have used its copy; the owner has to sign in again.
pub async fn refresh(core: &Core, token: &str, device: &Device) -> Result<SignedIn, Error> {
    let refresh = core.keys.read_refresh(token).ok_or_else(invalid_token)?;
    core.action_limits
        .consume(refresh.session.0, Action::Refresh)
        .await?;
    let renewed = core
        .db
        .write(|tx| async move { refresh_in(&tx, core, refresh, device).await })
        .await?;
    // Ending a session must be committed, so the transaction does not return an error for it.
    renewed.ok_or_else(invalid_token)
}

fn invalid_token() -> Error {
    let message = "This session has ended or was refreshed elsewhere. Sign in again.";
    Error::new(Code::WrongCredentials, message)
}

async fn refresh_in(
    tx: &Tx,
    core: &Core,
    refresh: Refresh,
    device: &Device,
) -> Result<Option<SignedIn>, Error> {
    let found = session::Entity::find_by_id(refresh.session)
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
    let session = match check(&session, refresh.generation, now) {
        RefreshCheck::Renew => {
            let generation = session.refresh_generation.saturating_add(1);
            let mut renewed = session.into_active_model();
            renewed.refresh_generation = Set(generation);
            renewed.refreshed_at = Set(now);
            renewed.last_used_at = Set(now);
            renewed.label = Set(label(device.user_agent.as_deref()));
            renewed.ip_address = Set(device.address());
            renewed.update(tx).await?
        }
        RefreshCheck::Repeat => session,
        RefreshCheck::Reject => return Ok(None),
        RefreshCheck::End(reason) => {
            end_in(tx, user.id, SessionFilter::Only(&[session.id]), reason, now).await?;
            if reason == SessionEndReason::Revoked {
                let mail = AccountMail::SessionTokenReused;
                jobs::enqueue_mail_in(tx, &core.mailer, mail, user.id, now).await?;
                let record = AuditRecord::new(AuditAction::SessionTokenReused, None).refused();
                let record = record.on(AuditTarget::Session(session.id));
                audit::append_in(tx, now, record).await?;
            }
            return Ok(None);
        }
    };
    let lacks_factor = lacks_second_factor(tx, &core.config, user.id, user.role).await?;
    tokens(core, user.role, &session, lacks_factor).map(Some)
}

#[derive(Debug, PartialEq, Eq)]
enum RefreshCheck {
    /// The token is the newest one.
    Renew,
    /// The token is the previous one, within the grace period.
    Repeat,
    /// The token is newer than the session, as after a restored backup.
    Reject,
    /// The session has to end.
    End(SessionEndReason),
}

fn check(session: &session::Model, generation: i32, now: DateTime<Utc>) -> RefreshCheck {
    let behind = session.refresh_generation.saturating_sub(generation);
    if now >= expires_at(session) {
        return RefreshCheck::End(SessionEndReason::Expired);
    }
    match behind {
        0 => RefreshCheck::Renew,
        1 if now - session.refreshed_at <= GRACE => RefreshCheck::Repeat,
        1.. => RefreshCheck::End(SessionEndReason::Revoked),
        _ => RefreshCheck::Reject,
    }
}
