//! Starts sessions, and issues their tokens.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set,
};

use super::{
    Device, SessionFilter, SignedIn, Viewer, end_in, label, second_factor::lacks_second_factor,
};
use crate::{
    auth::token::Refresh,
    core::Core,
    db::Tx,
    domain::audit::{self, AuditAction, AuditRecord, AuditTarget},
    entity::{
        session::{self, SessionEndReason},
        user::{self, ServerRole},
    },
    error::Error,
    id::{IdentityId, SessionId, UserId},
};

/// A session expires this long after it was last refreshed.
pub const IDLE_LIFETIME: TimeDelta = TimeDelta::days(14);
/// A session expires this long after its start, even if it is refreshed.
pub const ABSOLUTE_LIFETIME: TimeDelta = TimeDelta::days(30);

/// How long important changes are allowed after the user confirmed their identity.
const REAUTHENTICATION_LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// Maximum active sessions of an account. A further sign-in ends the one that was used least recently.
const ACTIVE_MAX: u64 = 100;

/// Selects the user's sessions that have neither ended nor expired.
#[must_use]
pub fn active(user: UserId, now: DateTime<Utc>) -> Select<session::Entity> {
    session::Entity::find()
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now))
        .filter(session::Column::RefreshedAt.gt(now - IDLE_LIFETIME))
}

/// Starts a session in the transaction that has verified the user.
pub async fn start_in(
    tx: &Tx,
    core: &Core,
    user: &user::Model,
    device: &Device,
) -> Result<SignedIn, Error> {
    let now = core.clock.now();
    check_suspension_in(tx, user.id).await?;
    let label = label::label(device.user_agent.as_deref());
    let mut row = row(user.id, label, now);
    row.ip_address = Set(device.address());
    let lacks_factor = lacks_second_factor(tx, &core.config, user.id, user.role).await?;
    let session = insert_in(tx, row, user.id, now).await?;
    tokens(core, user.role, &session, lacks_factor)
}

/// Starts a session for the tokens of a trusted issuer, in the transaction that has admitted one of them.
pub async fn start_issued_in(
    tx: &Tx,
    core: &Core,
    user: UserId,
    identity: IdentityId,
    issuer: &str,
) -> Result<SessionId, Error> {
    let now = core.clock.now();
    let mut row = row(user, issuer.to_owned(), now);
    row.identity_id = Set(Some(identity));
    Ok(insert_in(tx, row, user, now).await?.id)
}

fn row(user: UserId, label: String, now: DateTime<Utc>) -> session::ActiveModel {
    session::ActiveModel {
        id: Set(SessionId::mint()),
        user_id: Set(user),
        label: Set(label),
        ip_address: Set(None),
        refresh_generation: Set(0),
        refreshed_at: Set(now),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now + ABSOLUTE_LIFETIME),
        ended_at: Set(None),
        end_reason: Set(None),
        reauthenticated_at: Set(None),
        identity_id: Set(None),
    }
}

async fn insert_in(
    tx: &Tx,
    row: session::ActiveModel,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<session::Model, Error> {
    make_room_in(tx, user, now).await?;
    let session = row.insert(tx).await?;
    let record = AuditRecord::new(AuditAction::SessionStarted, Some(user))
        .on(AuditTarget::Session(session.id));
    audit::append_in(tx, now, record).await?;
    Ok(session)
}

/// Fails if the account is suspended, and shows the reason to its user, who has just proven their identity.
async fn check_suspension_in(tx: &Tx, user: UserId) -> Result<(), Error> {
    let found = user::Entity::find_by_id(user)
        .select_only()
        .column(user::Column::SuspensionReason)
        .filter(user::Column::SuspendedAt.is_not_null())
        .into_tuple::<Option<String>>()
        .one(tx)
        .await?;
    match found {
        None => Ok(()),
        Some(reason) => {
            let reason = reason.unwrap_or_default();
            let message = format!("This account is suspended: {reason}");
            Err(Error::forbidden(message))
        }
    }
}

/// Ends the sessions that one more session would be too many for, those that were used least recently.
async fn make_room_in(tx: &Tx, user: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    let excess: Vec<SessionId> = active(user, now)
        .select_only()
        .column(session::Column::Id)
        .order_by_desc(session::Column::LastUsedAt)
        .order_by_desc(session::Column::Id)
        .offset(ACTIVE_MAX - 1)
        .limit(ACTIVE_MAX)
        .into_tuple()
        .all(tx)
        .await?;
    if !excess.is_empty() {
        let filter = SessionFilter::Only(&excess);
        end_in(tx, user, filter, SessionEndReason::Revoked, now).await?;
    }
    Ok(())
}

/// Returns when a session expires if it is not refreshed.
#[must_use]
pub fn expires_at(session: &session::Model) -> DateTime<Utc> {
    session.expires_at.min(session.refreshed_at + IDLE_LIFETIME)
}

/// Returns until when important changes are allowed; none if the user has to confirm their identity first.
#[must_use]
pub fn reauthenticated_until(
    session: &session::Model,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let until = session.reauthenticated_at? + REAUTHENTICATION_LIFETIME;
    (until > now).then_some(until)
}

/// Issues the tokens of a session in its current state.
pub(super) fn tokens(
    core: &Core,
    role: ServerRole,
    session: &session::Model,
    lacks_second_factor: bool,
) -> Result<SignedIn, Error> {
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
            lacks_second_factor,
        },
        access_token,
        access_token_expires_at,
        refresh_token: core.keys.refresh(refresh),
        refresh_token_expires_at: expires_at(session),
    })
}
