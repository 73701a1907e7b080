//! Verifies the address of an account with a token in a mail.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::{email_change, email_tokens, mails};
use crate::{
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord},
        sessions::Viewer,
        users,
    },
    entity::{email_token::EmailTokenPurpose, user},
    error::{Error, Problem},
    id::UserId,
    jobs::{self, AccountMail, Job},
    live::log::{self, Change, Stream},
};

/// Verifies the address to which the token was sent, and returns its user. A pending address becomes the address of the
/// account.
pub async fn verify_email(core: &Core, token: &str) -> Result<UserId, Error> {
    let purpose = EmailTokenPurpose::VerifyEmail;
    let (found, user) = email_tokens::find(core, token, &[purpose]).await?;
    let is_sent_to = |key: &Option<String>| key.as_ref() == Some(&found.email_key);
    let is_pending = is_sent_to(&user.pending_email_key);
    if !is_pending && !is_sent_to(&user.email_key) {
        return Err(email_tokens::invalid());
    }
    let (user, now) = (&user, core.clock.now());
    core.db
        .write(|tx| async move {
            email_tokens::use_in(&tx, token, user.id, &[purpose]).await?;
            let mut record = AuditRecord::own(AuditAction::UserEmailVerified, user.id);
            if is_pending {
                email_change::complete_in(&tx, user, now).await?;
                let (before, after) = (user.email.as_deref(), user.pending_email.as_deref());
                record = record.change("email", before, after);
            } else {
                set_verified_in(&tx, user, now).await?;
            }
            audit::append_in(&tx, now, record).await
        })
        .await?;
    Ok(user.id)
}

/// Marks the address of an account as verified, if it is not yet, and appends an event.
pub(super) async fn set_verified_in(
    tx: &Tx,
    user: &user::Model,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let verified = user::Entity::update_many()
        .set(user::ActiveModel {
            verified_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(user::Column::Id.eq(user.id))
        .filter(user::Column::EmailKey.eq(user.email_key.clone()))
        .filter(user::Column::VerifiedAt.is_null())
        .exec(tx)
        .await?;
    if verified.rows_affected > 0 {
        let change = Change::UserChanged { user: user.id };
        log::append(tx, Stream::User(user.id), now, &[change]).await?;
    }
    Ok(())
}

/// Mails the viewer a token again, or the user of an address. Returns whether a mail is sent; always true without a
/// viewer, so that the result does not reveal which addresses exist.
pub async fn resend_verification(
    core: &Core,
    viewer: Option<&Viewer>,
    email: Option<&str>,
    client: Option<IpAddr>,
) -> Result<bool, Error> {
    mails::check_enabled(core)?;
    let mail = AccountMail::VerifyEmail;
    let Some(viewer) = viewer else {
        let email = email.ok_or_else(|| {
            let message = "Enter an email address, or sign in.";
            Error::problems(vec![Problem::new("email", "REQUIRED", message)])
        })?;
        request_mail(core, mail, email, client).await?;
        return Ok(true);
    };
    let user = users::own(core, viewer).await?;
    if mails::unverified(&user).is_none() {
        return Ok(false);
    }
    if email_tokens::is_exhausted(core, user.id, EmailTokenPurpose::VerifyEmail).await? {
        return Err(email_tokens::too_many());
    }
    enqueue(core, mail, user.id).await?;
    Ok(true)
}

/// Enqueues a mail to the user of an address; a verification to the last one who entered it. Without one, it does the
/// same for no one.
pub(super) async fn request_mail(
    core: &Core,
    mail: AccountMail,
    email: &str,
    client: Option<IpAddr>,
) -> Result<(), Error> {
    core.rate_limits.mail_requests.consume(client)?;
    let key = users::login_key(email);
    let found = users::find_id(core.db.read(), user::Column::EmailKey.eq(&key)).await?;
    let waiting: Option<UserId> = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::PendingEmailKey.eq(&key))
        .order_by_desc(user::Column::Id)
        .into_tuple()
        .one(core.db.read())
        .await?;
    let user = match mail {
        AccountMail::VerifyEmail => waiting.or(found),
        _ => found,
    };
    enqueue(core, mail, user.unwrap_or_default()).await
}

async fn enqueue(core: &Core, mail: AccountMail, user: UserId) -> Result<(), Error> {
    let (job, now) = (&Job::SendMail { mail, user }, core.clock.now());
    core.db
        .write(|tx| async move { jobs::enqueue_in(&tx, job, now).await })
        .await
}
