//! Signs in with a code, after the password.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use sea_orm::EntityTrait;

use super::{Attempt, SecondFactor};
use crate::{
    core::Core,
    domain::{
        accounts::password_check,
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{self, Device, SignedIn},
    },
    entity::user,
    error::{Code, Error},
};

/// How long a challenge is valid.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// What a sign-in needs after the correct password.
#[derive(Clone, Debug)]
pub struct SignInChallenge {
    /// The token for [`complete_sign_in`].
    pub token: String,
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
}

/// Returns the challenge for a user whose password, with this hash, was correct.
pub(in crate::domain::accounts) fn challenge(
    core: &Core,
    user: &user::Model,
    password_hash: &str,
) -> SignInChallenge {
    let now = core.clock.now();
    let expires_at = now.with_nanosecond(0).unwrap_or(now) + LIFETIME;
    SignInChallenge {
        token: core.keys.challenge(user.id, password_hash, expires_at),
        expires_at,
    }
}

/// Signs in with a challenge and a code.
pub async fn complete_sign_in(
    core: &Core,
    token: &str,
    factor: SecondFactor,
    given: &str,
    device: &Device,
) -> Result<SignedIn, Error> {
    core.rate_limits.failed_sign_ins.check(device.ip_address)?;
    let user = find(core, token).await?;
    let attempt = Attempt::start(core, user.id).await?;
    let (confirmed, user) = (&attempt, &user);
    let outcome = core
        .db
        .write(|tx| async move {
            password_check::confirm_password_in(&tx, user, None).await?;
            confirmed.confirm_in(&tx, core, factor, given).await?;
            sessions::start_in(&tx, core, user, device).await
        })
        .await;
    match outcome.as_ref().map_err(Error::code) {
        Err(Code::WrongCredentials) => {
            // The limit applies from the next attempt on.
            let _ = core.rate_limits.failed_sign_ins.consume(device.ip_address);
        }
        Err(Code::Forbidden) => {
            let record = AuditRecord::new(AuditAction::SessionStarted, None).refused();
            audit::append(core, record.on(AuditTarget::User(user.id))).await?;
        }
        _ => {}
    }
    attempt.finish(core, outcome).await
}

/// Returns the user of a valid challenge.
async fn find(core: &Core, token: &str) -> Result<user::Model, Error> {
    let user = core.keys.challenged_user(token).ok_or_else(invalid)?;
    let found = user::Entity::find_by_id(user).one(core.db.read()).await?;
    let user = found.ok_or_else(invalid)?;
    let password = user.password_hash.as_deref().unwrap_or_default();
    let expires_at = core.keys.read_challenge(token, password);
    if expires_at.ok_or_else(invalid)? <= core.clock.now() {
        let message = "The time for this sign-in is over. Enter your password again.";
        return Err(Error::new(Code::Expired, message));
    }
    Ok(user)
}

fn invalid() -> Error {
    let message = "This sign-in is not valid. Enter your password again.";
    Error::new(Code::WrongCredentials, message)
}
