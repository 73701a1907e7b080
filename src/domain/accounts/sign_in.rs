//! Signs in with a password, and verifies the password of a signed-in user again. A login that no account has takes as
//! long, counts as much and fails with the same error as a wrong password.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::lockout::{self, LockoutKey};
use crate::{
    auth::password::{self, HashOwner, PasswordTurn},
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{self, Device, SignedIn},
        users,
    },
    entity::user,
    error::{Code, Error, Problem},
    id::UserId,
};

/// Signs in with a username or an email address. The attempts of one client, and those with one login, follow each
/// other, so that correct ones do not exceed the limit of wrong ones.
pub async fn sign_in(
    core: &Core,
    login: &str,
    password: &str,
    device: &Device,
) -> Result<SignedIn, Error> {
    let login = users::login_key(login);
    let key = &LockoutKey::login(core, &login);
    let client = HashOwner::client(device.ip_address);
    let owners = client.into_iter().chain([key.owner()]);
    let turn = &core.passwords.turn(owners).await?;
    core.rate_limits.failed_sign_ins.check(device.ip_address)?;
    let found = by_login(core, &login).await?;
    let is_correct = try_password(core, turn, key, found.as_ref(), password).await?;
    let account = found.as_ref().map(|user| user.id);
    let Some(user) = found.filter(|_| is_correct) else {
        // The limit applies from the next attempt on.
        let _ = core.rate_limits.failed_sign_ins.consume(device.ip_address);
        audit::append(core, refused(account)).await?;
        return Err(wrong_credentials(if core.config.require_verified_email {
            "The username or the password is wrong. Check both and try again. A new account can be used after \
             you open the link in the mail."
        } else {
            "The username or the password is wrong. Check both and try again."
        }));
    };
    if core.config.require_verified_email && user.verified_at.is_none() {
        core.db
            .write(|tx| async move {
                lockout::reset_in(&tx, key).await?;
                audit::append_in(&tx, core.clock.now(), refused(account)).await
            })
            .await?;
        let message =
            "Your address is not verified yet. Open the link in the mail, or request another mail.";
        return Err(Error::new(Code::EmailNotVerified, message));
    }
    let rehashed = match user.password_hash.as_deref() {
        Some(hash) if password::is_outdated(hash) => Some(turn.hash(password).await?),
        _ => None,
    };
    let (user, rehashed) = (&user, rehashed.as_deref());
    core.db
        .write(|tx| async move {
            confirm_in(&tx, user, key, rehashed).await?;
            sessions::start_in(&tx, core, user, device).await
        })
        .await
}

/// The record of a sign-in that failed, with the account that has the login. The login itself may be a password.
fn refused(account: Option<UserId>) -> AuditRecord {
    let record = AuditRecord::new(AuditAction::SessionStarted, None).refused();
    match account {
        Some(user) => record.on(AuditTarget::User(user)),
        None => record,
    }
}

/// Finds the account with this normalised username or email address.
async fn by_login(core: &Core, login: &str) -> Result<Option<user::Model>, Error> {
    let column = if login.contains('@') {
        user::Column::EmailKey
    } else {
        user::Column::UsernameKey
    };
    let found = user::Entity::find()
        .filter(column.eq(login))
        .one(core.db.read())
        .await?;
    Ok(found)
}

/// Verifies the current password of the signed-in user. A wrong one counts, so that a stolen session cannot guess without
/// limit.
pub(super) async fn verify_password(
    core: &Core,
    turn: &PasswordTurn,
    user: &user::Model,
    password: &str,
) -> Result<(), Error> {
    let key = LockoutKey::Account(user.id);
    if try_password(core, turn, &key, Some(user), password).await? {
        Ok(())
    } else {
        let record = AuditRecord::own(AuditAction::UserPasswordVerified, user.id).refused();
        audit::append(core, record).await?;
        Err(wrong_credentials(
            "The password is wrong. Check it and try again.",
        ))
    }
}

/// Verifies the current password that the user has given, if the account has one.
pub(super) async fn verify_current(
    core: &Core,
    user: &user::Model,
    given: Option<&str>,
) -> Result<(), Error> {
    let Some(password) = given.filter(|_| user.password_hash.is_some()) else {
        return Ok(());
    };
    let owner = LockoutKey::Account(user.id).owner();
    let turn = core.passwords.turn([owner]).await?;
    verify_password(core, &turn, user, password).await
}

/// Returns a problem if the account has a password and none is given.
pub(super) fn missing_password(
    user: &user::Model,
    field: &str,
    given: Option<&str>,
) -> Option<Problem> {
    let is_missing = user.password_hash.is_some() && given.is_none();
    is_missing.then(|| Problem::new(field, "REQUIRED", "Enter your current password."))
}

async fn try_password(
    core: &Core,
    turn: &PasswordTurn,
    key: &LockoutKey,
    user: Option<&user::Model>,
    password: &str,
) -> Result<bool, Error> {
    lockout::count(core, key).await?;
    let stored = user.and_then(|user| user.password_hash.as_deref());
    let verified = turn.verify(password, stored).await;
    if verified.is_err() {
        lockout::take_back(core, key).await?;
    }
    verified
}

/// Resets the count of failed attempts in the transaction that acts on the correct password, and stores the new hash if
/// there is one. Fails if the password was changed or the account was deleted since it was verified.
pub(super) async fn confirm_in(
    tx: &Tx,
    user: &user::Model,
    key: &LockoutKey,
    new_hash: Option<&str>,
) -> Result<(), Error> {
    let stored = user.password_hash.as_deref();
    let is_unchanged = match stored {
        Some(hash) => user::Column::PasswordHash.eq(hash),
        None => user::Column::PasswordHash.is_null(),
    };
    let updated = user::Entity::update_many()
        .set(user::ActiveModel {
            password_hash: Set(new_hash.or(stored).map(str::to_owned)),
            ..Default::default()
        })
        .filter(user::Column::Id.eq(user.id))
        .filter(is_unchanged)
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Err(wrong_credentials(
            "The password was just changed. Sign in with the new one.",
        ));
    }
    lockout::reset_in(tx, key).await
}

fn wrong_credentials(message: &str) -> Error {
    Error::new(Code::WrongCredentials, message)
}
