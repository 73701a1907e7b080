//! Verifies passwords, also those of signed-in users, with the limit on wrong ones.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::lockout::{self, LockoutKey};
use crate::{
    auth::password::PasswordTurn,
    core::Core,
    db::Tx,
    domain::audit::{self, AuditAction, AuditRecord},
    entity::user,
    error::{Code, Error, Problem},
};

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
    match given.filter(|_| user.password_hash.is_some()) {
        Some(password) => verify_given(core, user, password).await,
        None => Ok(()),
    }
}

/// Verifies the current password of the signed-in user.
pub(super) async fn verify_given(
    core: &Core,
    user: &user::Model,
    password: &str,
) -> Result<(), Error> {
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

/// Counts an attempt and verifies its password. Without a user, it takes as long.
pub(super) async fn try_password(
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
    confirm_password_in(tx, user, new_hash).await?;
    lockout::reset_in(tx, key).await
}

/// Stores the new hash of the password if there is one. Fails if the password was changed or the account was deleted since
/// it was verified.
pub(super) async fn confirm_password_in(
    tx: &Tx,
    user: &user::Model,
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
    Ok(())
}

/// The error of a wrong password or login.
pub(super) fn wrong_credentials(message: &str) -> Error {
    Error::new(Code::WrongCredentials, message)
}
