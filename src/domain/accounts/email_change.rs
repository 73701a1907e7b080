//! Changes the address of an account. The new one replaces the old one once it is verified, so that a typing error does
//! not lock the user out. The result does not reveal whether another account has the address; a mail to its owner does.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, SqlErr};

use super::{email_tokens, lockout::LockoutKey, mails, password_check, validation};
use crate::{
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord},
        sessions::Viewer,
        text, users,
    },
    entity::{email_token::EmailTokenPurpose, user},
    error::{Code, Error},
    id::UserId,
    jobs::{self, AccountMail, Job},
    live::log::{self, Change, Stream},
};

/// Mails a link to the new address, and a notice to the old one. The present address cancels the change. `password` may be
/// missing only if the account has none.
pub async fn change_email(
    core: &Core,
    viewer: &Viewer,
    new: &str,
    password: Option<&str>,
) -> Result<(), Error> {
    mails::check_enabled(core)?;
    let user = users::own(core, viewer).await?;
    let mut problems = vec![];
    let new = validation::email("newEmail", new, &mut problems);
    problems.extend(validation::email_domain(&core.config, "newEmail", &new));
    problems.extend(password_check::missing_password(
        &user, "password", password,
    ));
    Error::check(problems)?;
    password_check::verify_current(core, &user, password).await?;
    let is_current = user.email_key.as_ref() == Some(&text::email_key(&new));
    if !is_current
        && email_tokens::is_exhausted(core, user.id, EmailTokenPurpose::VerifyEmail).await?
    {
        return Err(email_tokens::too_many());
    }
    let (user, new, now) = (&user, new.as_str(), core.clock.now());
    core.db
        .write(|tx| async move {
            password_check::confirm_in(&tx, user, &LockoutKey::Account(user.id), None).await?;
            if is_current {
                return cancel_in(&tx, user.id).await;
            }
            set_pending_in(&tx, user.id, new).await?;
            for mail in [AccountMail::VerifyEmail, AccountMail::EmailChangeRequested] {
                let user = user.id;
                jobs::enqueue_in(&tx, &Job::SendMail { mail, user }, now).await?;
            }
            let record = AuditRecord::own(AuditAction::UserEmailChangeRequested, user.id);
            let record = record.change("email", user.email.as_deref(), Some(new));
            audit::append_in(&tx, now, record).await
        })
        .await
}

/// Cancels a change of the address that waits for verification.
pub(super) async fn cancel_in(tx: &Tx, user: UserId) -> Result<(), Error> {
    let row = user::ActiveModel {
        pending_email: Set(None),
        pending_email_key: Set(None),
        ..Default::default()
    };
    user::Entity::update_many()
        .set(row)
        .filter(user::Column::Id.eq(user))
        // Without a current address, the account waits for its first one.
        .filter(user::Column::EmailKey.is_not_null())
        .exec(tx)
        .await?;
    Ok(())
}

async fn set_pending_in(tx: &Tx, user: UserId, email: &str) -> Result<(), Error> {
    let row = user::ActiveModel {
        pending_email: Set(Some(email.to_owned())),
        pending_email_key: Set(Some(text::email_key(email))),
        ..Default::default()
    };
    user::Entity::update_many()
        .set(row)
        .filter(user::Column::Id.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes the pending address, which the user has just proven, the address of the account.
pub(super) async fn complete_in(
    tx: &Tx,
    user: &user::Model,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut row = user::ActiveModel {
        email: Set(user.pending_email.clone()),
        email_key: Set(user.pending_email_key.clone()),
        pending_email: Set(None),
        pending_email_key: Set(None),
        verified_at: Set(Some(now)),
        ..Default::default()
    };
    if user.verified_at.is_none() {
        row.updated_at = Set(now);
    }
    let updated = user::Entity::update_many()
        .set(row)
        .filter(user::Column::Id.eq(user.id))
        .filter(user::Column::PendingEmailKey.eq(user.pending_email_key.clone()))
        .exec(tx)
        .await;
    let updated = updated.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            let message =
                "Another account has this address. Sign in to it, or use another address.";
            Error::new(Code::Conflict, message)
        }
        _ => error.into(),
    })?;
    if updated.rows_affected == 0 {
        return Err(email_tokens::invalid());
    }
    let change = Change::UserChanged { user: user.id };
    log::append(tx, Stream::User(user.id), now, &[change]).await
}
