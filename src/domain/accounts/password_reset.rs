//! Sets a new password with a token in a mail.

use std::net::IpAddr;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::{
    email_change, email_tokens,
    lockout::{self, LockoutKey},
    mails,
    register::own_words,
    verification::{request_mail, set_verified_in},
};
use crate::{
    auth::password::HashOwner,
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord},
        sessions::{self, SessionFilter},
    },
    entity::{email_token::EmailTokenPurpose, session::SessionEndReason, user},
    error::Error,
    jobs::{self, AccountMail, Job},
};

/// The tokens that set a password. Each makes the others useless.
const PURPOSES: &[EmailTokenPurpose] = &[
    EmailTokenPurpose::ResetPassword,
    EmailTokenPurpose::SetUpAccount,
];

/// Mails a token to the user of an address. The result and the work do not reveal whether there is one.
pub async fn request_password_reset(
    core: &Core,
    email: &str,
    client: Option<IpAddr>,
) -> Result<(), Error> {
    mails::check_enabled(core)?;
    request_mail(core, AccountMail::ResetPassword, email, client).await
}

/// Sets a new password, ends every session, cancels a change of the address, and notifies the user by mail. Returns the
/// username. The token proves that the address is theirs, so that it is verified too.
pub async fn reset_password(
    core: &Core,
    token: &str,
    new: &str,
    client: Option<IpAddr>,
) -> Result<String, Error> {
    let turn = core.passwords.turn(HashOwner::client(client)).await?;
    let (found, user) = email_tokens::find(core, token, PURPOSES).await?;
    if user.email_key.as_ref() != Some(&found.email_key) {
        return Err(email_tokens::invalid());
    }
    let words = own_words(core, &user);
    Error::check(turn.problems("newPassword", new, &words).await?)?;
    let hash = turn.hash(new).await?;
    let (user, hash) = (&user, &hash);
    core.db
        .write(|tx| async move {
            email_tokens::use_in(&tx, token, user.id, PURPOSES).await?;
            set_in(&tx, core, user, hash).await
        })
        .await?;
    Ok(user.username.clone())
}

async fn set_in(tx: &Tx, core: &Core, user: &user::Model, hash: &str) -> Result<(), Error> {
    let now = core.clock.now();
    user::Entity::update_many()
        .set(user::ActiveModel {
            password_hash: Set(Some(hash.to_owned())),
            ..Default::default()
        })
        .filter(user::Column::Id.eq(user.id))
        .exec(tx)
        .await?;
    email_change::cancel_in(tx, user.id).await?;
    set_verified_in(tx, user, now).await?;
    lockout::reset_in(tx, &LockoutKey::Account(user.id)).await?;
    lockout::reset_logins_in(tx, core, user).await?;
    let reason = SessionEndReason::Revoked;
    sessions::end_in(tx, user.id, SessionFilter::All, reason, now).await?;
    // The first password replaces none.
    if user.password_hash.is_some() {
        let job = Job::SendMail {
            mail: AccountMail::PasswordWasReset,
            user: user.id,
        };
        jobs::enqueue_in(tx, &job, now).await?;
    }
    let record = AuditRecord::own(AuditAction::UserPasswordReset, user.id);
    audit::append_in(tx, now, record).await
}
