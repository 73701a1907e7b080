//! Signing in, and proving again who one is. Unknown names cost, count and say what wrong passwords do.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::lockout::{self, Target};
use crate::{
    auth::password,
    core::Core,
    db::Tx,
    domain::{
        sessions::{self, Device, SignedIn},
        users,
    },
    entity::user,
    error::{Code, Error},
};

/// Signs in with a username or an address.
pub async fn sign_in(
    core: &Core,
    login: &str,
    password: &str,
    device: &Device,
) -> Result<SignedIn, Error> {
    core.rate_limits.failed_sign_ins.look(device.ip_address)?;
    let login = users::key(login.trim());
    let found = by_login(core, &login).await?;
    let target = Target::of(core, found.as_ref(), &login);
    let is_right = try_password(core, &target, found.as_ref(), password).await?;
    let Some(user) = found.filter(|_| is_right) else {
        // What this answers matters at the next try.
        let _ = core.rate_limits.failed_sign_ins.take(device.ip_address);
        return Err(wrong("The name or the password is wrong."));
    };
    let rehashed = match user.password_hash.as_deref() {
        Some(hash) if password::is_outdated(hash) => Some(core.passwords.hash(password).await?),
        _ => None,
    };
    let (user, rehashed) = (&user, rehashed.as_deref());
    core.db
        .write(|tx| async move {
            proven_in(&tx, user, rehashed).await?;
            sessions::start_in(&tx, core, user, device).await
        })
        .await
}

/// Who has this username or address, in the form in which they are compared.
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

/// Passes when this is the person's present password; counts as a sign-in when it is not. Whoever holds
/// a stolen session could otherwise guess for ever.
pub(super) async fn prove(core: &Core, user: &user::Model, password: &str) -> Result<(), Error> {
    let target = Target::Account(user.id);
    if try_password(core, &target, Some(user), password).await? {
        Ok(())
    } else {
        Err(wrong("The password is wrong."))
    }
}

async fn try_password(
    core: &Core,
    target: &Target,
    user: Option<&user::Model>,
    password: &str,
) -> Result<bool, Error> {
    lockout::count(core, target).await?;
    let stored = user.and_then(|user| user.password_hash.as_deref());
    let verdict = core.passwords.verify(password, stored).await;
    if verdict.is_err() {
        lockout::take_back(core, target).await?;
    }
    verdict
}

/// Wipes the count of wrong passwords, in the transaction that acts on the right one; stores a new hash
/// when there is one. Fails when the password was changed or the account deleted meanwhile.
pub(super) async fn proven_in(
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
            failed_sign_ins: Set(0),
            sign_in_blocked_until: Set(None),
            password_hash: Set(new_hash.or(stored).map(str::to_owned)),
            ..Default::default()
        })
        .filter(user::Column::Id.eq(user.id))
        .filter(is_unchanged)
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Err(wrong("The password was changed just now."));
    }
    Ok(())
}

fn wrong(message: &str) -> Error {
    Error::new(Code::WrongCredentials, message)
}
