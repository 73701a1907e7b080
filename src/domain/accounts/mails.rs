//! Sends the mails about an account, in a job.

use sea_orm::EntityTrait;

use super::email_tokens;
use crate::{
    core::Core,
    entity::{email_token::EmailTokenPurpose, user},
    error::{Code, Error},
    id::UserId,
    jobs::AccountMail,
    mail::{MailValues, Template},
};

/// Fails with `DISABLED` if the server sends no mail.
pub(super) fn check_enabled(core: &Core) -> Result<(), Error> {
    if core.mailer.is_enabled() {
        return Ok(());
    }
    let message = "This server sends no mail. Contact an administrator.";
    Err(Error::new(Code::Disabled, message))
}

/// Sends a mail to a user, unless it is no longer needed or they have received too many of its kind.
pub async fn send_mail(core: &Core, mail: AccountMail, user: UserId) -> Result<(), Error> {
    let user = user::Entity::find_by_id(user).one(core.db.read()).await?;
    let Some(user) = user.filter(|user| user.email.is_some()) else {
        return Ok(());
    };
    match mail {
        AccountMail::VerifyEmail if user.verified_at.is_some() => Ok(()),
        AccountMail::VerifyEmail => {
            let (page, purpose) = ("verify-email", EmailTokenPurpose::VerifyEmail);
            send_link(core, &user, Template::VerifyEmail, page, purpose).await
        }
        AccountMail::ResetPassword => {
            let (page, purpose) = ("reset-password", EmailTokenPurpose::ResetPassword);
            send_link(core, &user, Template::ResetPassword, page, purpose).await
        }
        AccountMail::PasswordWasReset => {
            let link = format!("{}/", core.config.origin(core.config.listen));
            send(core, &user, Template::PasswordWasReset, &link).await
        }
    }
}

/// Sends a link with a new token. Browsers do not send the part after `#`, so that no log has the token.
async fn send_link(
    core: &Core,
    user: &user::Model,
    template: Template,
    page: &str,
    purpose: EmailTokenPurpose,
) -> Result<(), Error> {
    if email_tokens::is_exhausted(core, user.id, purpose).await? {
        return Ok(());
    }
    let token = email_tokens::create(core, user, purpose).await?;
    let origin = core.config.origin(core.config.listen);
    let link = format!("{origin}/{page}#{}", token.text);
    let sent = send(core, user, template, &link).await;
    if sent.is_err() {
        email_tokens::discard(core, &token).await?;
    }
    sent
}

async fn send(
    core: &Core,
    user: &user::Model,
    template: Template,
    link: &str,
) -> Result<(), Error> {
    let values = MailValues {
        server: &core.config.server_name,
        name: &user.display_name,
        link,
    };
    let to = user.email.as_deref().unwrap_or_default();
    core.mailer.send(to, &user.locale, template, &values).await
}
