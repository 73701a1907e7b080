//! Authenticator apps: their secrets, and their codes, each of which is accepted once.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use totp_rs::{Builder, Totp};

use crate::{
    core::Core,
    db::Tx,
    domain::sessions::{self, Viewer},
    entity::authenticator,
    error::{Code, Error},
    id::UserId,
};

/// Whether the viewer has an authenticator app.
pub async fn has_totp(core: &Core, viewer: &Viewer) -> Result<bool, Error> {
    sessions::has_second_factor(core.db.read(), viewer.user).await
}

/// The codes of a secret, as all apps generate them: SHA-1, six digits, 30 seconds, with a tolerance of one step.
pub(super) fn totp(secret: Vec<u8>, server: &str, username: &str) -> Result<Totp, Error> {
    // A colon separates the two names in the URI.
    let issuer = server.replace(':', " ");
    Builder::new()
        .with_secret(secret)
        .with_issuer(Some(issuer))
        .with_account_name(username)
        .build()
        .map_err(Error::internal)
}

/// Returns the time step of a code, unless it is wrong.
pub(super) fn step(totp: &Totp, given: &str, now: DateTime<Utc>) -> Option<i64> {
    let digits: String = given.chars().filter(|char| !char.is_whitespace()).collect();
    let time = u64::try_from(now.timestamp()).ok()?;
    i64::try_from(totp.check(&digits, time)?).ok()
}

/// Uses a code of the user's app. Returns whether it is correct and was not used before.
pub(super) async fn use_in(tx: &Tx, core: &Core, user: UserId, given: &str) -> Result<bool, Error> {
    let found = authenticator::Entity::find_by_id(user).one(tx).await?;
    let Some(sealed) = found.and_then(|found| found.secret) else {
        return Ok(false);
    };
    let totp = totp(open(core, user, &sealed)?, "", "")?;
    let Some(step) = step(&totp, given, core.clock.now()) else {
        return Ok(false);
    };
    let updated = authenticator::Entity::update_many()
        .set(authenticator::ActiveModel {
            last_step: Set(step),
            ..Default::default()
        })
        .filter(authenticator::Column::UserId.eq(user))
        .filter(authenticator::Column::LastStep.lt(step))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected > 0)
}

/// Encrypts the secret of an app.
pub(super) fn seal(core: &Core, user: UserId, secret: &[u8]) -> Result<Vec<u8>, Error> {
    core.keys.sealing.seal(user.0.as_bytes(), secret)
}

/// Decrypts the secret of an app.
pub(super) fn open(core: &Core, user: UserId, sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let secret = core.keys.sealing.open(user.0.as_bytes(), sealed);
    secret.ok_or_else(|| {
        tracing::error!(user.id = %user, "the secret of an authenticator app was stored with another secret_key");
        let message = "The key of the server has changed, so that it cannot check your app. Use a recovery code.";
        Error::new(Code::WrongCredentials, message)
    })
}
