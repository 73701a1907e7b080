//! Signs in with a password. A login that no account has takes as
//! long, counts as much and fails with the same error as a wrong password.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{
    lockout::{self, LockoutKey},
    password_check::{confirm_in, try_password, wrong_credentials},
    second_factor::{self, SignInChallenge},
};
use crate::{
    auth::password::{self, HashOwner},
    core::Core,
    domain::{
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{self, Device, SignedIn},
        users,
    },
    entity::user,
    error::{Code, Error},
    id::UserId,
};

/// The result of a sign-in with the correct password.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// The user is signed in.
    Done(Box<SignedIn>),
    /// The account has a second factor.
    Challenged(SignInChallenge),
}

/// Signs in with a username or an email address. The attempts of one client, and those with one login, follow each
/// other, so that correct ones do not exceed the limit of wrong ones.
pub async fn sign_in(
    core: &Core,
    login: &str,
    password: &str,
    device: &Device,
) -> Result<SignIn, Error> {
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
    let outcome = core
        .db
        .write(|tx| async move {
            confirm_in(&tx, user, key, rehashed).await?;
            if sessions::has_second_factor(&*tx, user.id).await? {
                let hash = rehashed.or(user.password_hash.as_deref());
                let hash = hash.unwrap_or_default();
                return Ok(SignIn::Challenged(second_factor::challenge(
                    core, user, hash,
                )));
            }
            let signed_in = sessions::start_in(&tx, core, user, device).await?;
            Ok(SignIn::Done(Box::new(signed_in)))
        })
        .await;
    if outcome
        .as_ref()
        .is_err_and(|error| error.code() == Code::Forbidden)
    {
        audit::append(core, refused(account)).await?;
    }
    outcome
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
