//! Sets up an authenticator app, and removes it.

use chrono::TimeDelta;
use sea_orm::{EntityTrait, QuerySelect, Set, sea_query::OnConflict};

use super::{
    Attempt, SecondFactor,
    attempt::{report_in, wrong_code},
    authenticator as app, recovery_codes,
};
use crate::{
    core::Core,
    db::Tx,
    domain::{
        accounts::{
            lockout::{self, LockoutKey},
            second_factor::require_recent,
        },
        audit::{self, AuditAction, AuditRecord},
        sessions::{self, SessionFilter, Viewer},
        users,
    },
    entity::{
        authenticator::{self, Column},
        session::SessionEndReason,
    },
    error::{Code, Error},
    id::UserId,
    jobs::AccountMail,
};

/// How long a setup can be finished.
const SETUP_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// Length of a secret. RFC 4226 recommends 160 bits.
const SECRET_BYTES: usize = 20;

/// What an authenticator app has to know.
#[derive(Clone, Debug)]
pub struct TotpSetup {
    /// The secret, in base32, to type into the app.
    pub secret: String,
    /// The secret as a URI, for a QR code.
    pub uri: String,
}

/// Generates the secret of a new app, which replaces the present one when its first code is confirmed.
pub async fn start_totp_setup(core: &Core, viewer: &Viewer) -> Result<TotpSetup, Error> {
    require_recent(core, viewer).await?;
    let user = users::own(core, viewer).await?;
    let secret: [u8; SECRET_BYTES] = rand::random();
    let totp = app::totp(secret.to_vec(), &core.config.server_name, &user.username)?;
    let sealed = app::seal(core, user.id, &secret)?;
    let row = &authenticator::ActiveModel {
        user_id: Set(user.id),
        secret: Set(None),
        last_step: Set(0),
        pending_secret: Set(Some(sealed)),
        pending_until: Set(Some(core.clock.now() + SETUP_LIFETIME)),
    };
    core.db
        .write(|tx| async move {
            let replaced = OnConflict::column(Column::UserId)
                .update_columns([Column::PendingSecret, Column::PendingUntil])
                .to_owned();
            authenticator::Entity::insert(row.clone())
                .on_conflict(replaced)
                .exec_without_returning(&*tx)
                .await?;
            Ok(())
        })
        .await?;
    Ok(TotpSetup {
        secret: totp.secret().to_base32(),
        uri: totp.to_url().map_err(Error::internal)?,
    })
}

/// Finishes the setup with the first code of the app. Ends the other sessions, which began without a second factor or
/// with another one, and returns new recovery codes.
pub async fn confirm_totp_setup(
    core: &Core,
    viewer: &Viewer,
    given: &str,
) -> Result<Vec<String>, Error> {
    let attempt = Attempt::start(core, viewer.user).await?;
    let outcome = core
        .db
        .write(|tx| async move { confirm_in(&tx, core, viewer, given).await })
        .await;
    attempt.finish(core, outcome).await
}

async fn confirm_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    given: &str,
) -> Result<Vec<String>, Error> {
    let (user, now) = (viewer.user, core.clock.now());
    let found = authenticator::Entity::find_by_id(user)
        .lock_exclusive()
        .one(tx)
        .await?;
    let pending = found.and_then(|found| found.pending_secret.zip(found.pending_until));
    let Some((sealed, _)) = pending.filter(|(_, until)| *until > now) else {
        let message = "The time for this setup is over. Start it again.";
        return Err(Error::new(Code::Expired, message));
    };
    let totp = app::totp(app::open(core, user, &sealed)?, "", "")?;
    let step = app::step(&totp, given, now).ok_or_else(wrong_code)?;
    authenticator::Entity::update(authenticator::ActiveModel {
        user_id: Set(user),
        secret: Set(Some(sealed)),
        last_step: Set(step),
        pending_secret: Set(None),
        pending_until: Set(None),
    })
    .exec(tx)
    .await?;
    lockout::reset_in(tx, &LockoutKey::second_factor(core, user)).await?;
    end_others_in(tx, core, viewer).await?;
    report_in(tx, core, user, AccountMail::SecondFactorEnabled).await?;
    let codes = recovery_codes::replace_in(tx, user).await?;
    let record = AuditRecord::own(AuditAction::UserSecondFactorEnabled, user);
    audit::append_in(tx, now, record).await?;
    Ok(codes)
}

/// Removes the app and the recovery codes, with a code of either kind. Ends the other sessions.
pub async fn disable_totp(core: &Core, viewer: &Viewer, given: &str) -> Result<(), Error> {
    if sessions::requires_second_factor(&core.config, viewer.role) {
        let message =
            "This server requires a second factor. Set up another app to replace the present one.";
        return Err(Error::forbidden(message));
    }
    let attempt = Attempt::start(core, viewer.user).await?;
    let confirmed = &attempt;
    let outcome = core
        .db
        .write(|tx| async move {
            confirmed.confirm_any_in(&tx, core, given).await?;
            delete_in(&tx, viewer.user).await?;
            end_others_in(&tx, core, viewer).await?;
            report_in(&tx, core, viewer.user, AccountMail::SecondFactorDisabled).await?;
            let record = AuditRecord::own(AuditAction::UserSecondFactorDisabled, viewer.user);
            audit::append_in(&tx, core.clock.now(), record).await
        })
        .await;
    attempt.finish(core, outcome).await
}

/// Replaces the recovery codes, with a code of the app, and returns the new ones.
pub async fn regenerate_recovery_codes(
    core: &Core,
    viewer: &Viewer,
    given: &str,
) -> Result<Vec<String>, Error> {
    let attempt = Attempt::start(core, viewer.user).await?;
    let confirmed = &attempt;
    let outcome = core
        .db
        .write(|tx| async move {
            let factor = SecondFactor::Totp;
            confirmed.confirm_in(&tx, core, factor, given).await?;
            let codes = recovery_codes::replace_in(&tx, viewer.user).await?;
            let action = AuditAction::UserRecoveryCodesRegenerated;
            let record = AuditRecord::own(action, viewer.user);
            audit::append_in(&tx, core.clock.now(), record).await?;
            Ok(codes)
        })
        .await;
    attempt.finish(core, outcome).await
}

/// Removes the second factor of a user who has lost it, and ends their sessions. Returns whether there was one.
pub(in crate::domain) async fn remove_in(
    tx: &Tx,
    core: &Core,
    user: UserId,
) -> Result<bool, Error> {
    if !delete_in(tx, user).await? {
        return Ok(false);
    }
    lockout::reset_in(tx, &LockoutKey::second_factor(core, user)).await?;
    let (reason, now) = (SessionEndReason::Revoked, core.clock.now());
    sessions::end_in(tx, user, SessionFilter::All, reason, now).await?;
    report_in(tx, core, user, AccountMail::SecondFactorDisabled).await?;
    Ok(true)
}

/// Deletes the app and the codes. Returns whether there was an app.
async fn delete_in(tx: &Tx, user: UserId) -> Result<bool, Error> {
    recovery_codes::delete_in(tx, user).await?;
    let deleted = authenticator::Entity::delete_by_id(user).exec(tx).await?;
    Ok(deleted.rows_affected > 0)
}

async fn end_others_in(tx: &Tx, core: &Core, viewer: &Viewer) -> Result<(), Error> {
    let others = SessionFilter::AllExcept(viewer.session);
    let (reason, now) = (SessionEndReason::Revoked, core.clock.now());
    sessions::end_in(tx, viewer.user, others, reason, now).await?;
    Ok(())
}
