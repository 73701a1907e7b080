//! Sends the mails about an account, in a job.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::email_tokens;
use crate::{
    auth::secret_token::SecretToken,
    core::Core,
    domain::text,
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

/// The address of an account that waits for verification.
pub(super) fn unverified(user: &user::Model) -> Option<&str> {
    let current = user.email.as_deref().filter(|_| user.verified_at.is_none());
    user.pending_email.as_deref().or(current)
}

/// Sends a mail to a user, unless it is no longer needed or they have received too many of its kind.
pub async fn send_mail(core: &Core, mail: AccountMail, user: UserId) -> Result<(), Error> {
    let user = user::Entity::find_by_id(user).one(core.db.read()).await?;
    let Some(user) = &user else {
        return Ok(());
    };
    match (mail, unverified(user), user.email.as_deref()) {
        (AccountMail::VerifyEmail, Some(address), _) => {
            send_verification(core, user, address).await
        }
        (AccountMail::ResetPassword, _, Some(address)) => {
            let purpose = EmailTokenPurpose::ResetPassword;
            send_password_link(core, user, address, purpose).await
        }
        (AccountMail::SetUpAccount, _, Some(address)) if user.password_hash.is_none() => {
            let purpose = EmailTokenPurpose::SetUpAccount;
            send_password_link(core, user, address, purpose).await
        }
        (AccountMail::EmailChangeRequested, _, Some(address)) if user.pending_email.is_some() => {
            send_notice(core, user, address, Template::EmailChangeRequested).await
        }
        (_, _, Some(address)) => match notice(mail) {
            Some(template) => send_notice(core, user, address, template).await,
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The template of a mail that is always sent, to the present address.
fn notice(mail: AccountMail) -> Option<Template> {
    match mail {
        AccountMail::VerifyEmail
        | AccountMail::ResetPassword
        | AccountMail::SetUpAccount
        | AccountMail::EmailChangeRequested => None,
        AccountMail::PasswordWasReset => Some(Template::PasswordWasReset),
        AccountMail::SessionTokenReused => Some(Template::SessionTokenReused),
        AccountMail::SecondFactorEnabled => Some(Template::SecondFactorEnabled),
        AccountMail::SecondFactorDisabled => Some(Template::SecondFactorDisabled),
        AccountMail::RecoveryCodeUsed => Some(Template::RecoveryCodeUsed),
    }
}

/// Returns a link for a password, for an administrator to hand over. None if the server sends mail, as a job does then.
/// Fails if the account has no address, to which the link is bound.
pub(in crate::domain) async fn password_link(
    core: &Core,
    user: &user::Model,
    purpose: EmailTokenPurpose,
) -> Result<Option<String>, Error> {
    if core.mailer.is_enabled() {
        return Ok(None);
    }
    let Some(address) = &user.email_key else {
        return Err(Error::conflict("This account has no address yet."));
    };
    let token = email_tokens::create(core, user.id, address, purpose).await?;
    Ok(Some(link(core, "reset-password", &token)))
}

/// Mails a link to an address that waits for verification. If another account has the address, its owner receives a
/// notice instead: whether the address is known is revealed in its mailbox only.
async fn send_verification(core: &Core, user: &user::Model, address: &str) -> Result<(), Error> {
    let owner = user::Entity::find()
        .filter(user::Column::EmailKey.eq(text::email_key(address)))
        .filter(user::Column::Id.ne(user.id))
        .one(core.db.read())
        .await?;
    // Both mails count, so that no one can fill a mailbox with either.
    let Some(token) = create_token(core, user, address, EmailTokenPurpose::VerifyEmail).await?
    else {
        return Ok(());
    };
    let sent = if let Some(owner) = &owner {
        send_notice(core, owner, address, Template::EmailInUse).await
    } else {
        let link = link(core, "verify-email", &token);
        send(core, user, address, Template::VerifyEmail, &link).await
    };
    discard_unsent(core, &token, sent).await
}

async fn send_password_link(
    core: &Core,
    user: &user::Model,
    address: &str,
    purpose: EmailTokenPurpose,
) -> Result<(), Error> {
    let template = match purpose {
        EmailTokenPurpose::SetUpAccount => Template::SetUpAccount,
        _ => Template::ResetPassword,
    };
    let Some(token) = create_token(core, user, address, purpose).await? else {
        return Ok(());
    };
    let link = link(core, "reset-password", &token);
    let sent = send(core, user, address, template, &link).await;
    discard_unsent(core, &token, sent).await
}

/// Creates a token, unless the user or the address has received too many.
async fn create_token(
    core: &Core,
    user: &user::Model,
    address: &str,
    purpose: EmailTokenPurpose,
) -> Result<Option<SecretToken>, Error> {
    let key = text::email_key(address);
    if email_tokens::is_exhausted(core, user.id, purpose).await?
        || email_tokens::is_address_exhausted(core, &key, purpose).await?
    {
        return Ok(None);
    }
    let token = email_tokens::create(core, user.id, &key, purpose).await?;
    Ok(Some(token))
}

/// Discards the token of a mail that could not be sent, so that it does not count.
async fn discard_unsent(
    core: &Core,
    token: &SecretToken,
    sent: Result<(), Error>,
) -> Result<(), Error> {
    if sent.is_err() {
        email_tokens::discard(core, token).await?;
    }
    sent
}

/// Mails the link of an invitation, in this language.
pub(super) async fn send_invitation(
    core: &Core,
    address: &str,
    locale: &str,
    token: &str,
) -> Result<(), Error> {
    let values = MailValues {
        server: &core.config.server_name,
        name: address,
        link: &invitation_link(core, token),
    };
    core.mailer
        .send(address, locale, Template::Invitation, &values)
        .await
}

/// The link of an invitation, with its token.
pub(in crate::domain) fn invitation_link(core: &Core, token: &str) -> String {
    format!("{}#{token}", page(core, "invite"))
}

/// The link to a page with a token. Browsers do not send the part after `#`, so that no log has the token.
fn link(core: &Core, name: &str, token: &SecretToken) -> String {
    format!("{}#{}", page(core, name), token.text)
}

/// The URL of a page of the web client.
fn page(core: &Core, name: &str) -> String {
    format!("{}/{name}", core.config.origin(core.config.listen))
}

/// Sends a mail whose link leads to the start page.
async fn send_notice(
    core: &Core,
    reader: &user::Model,
    address: &str,
    template: Template,
) -> Result<(), Error> {
    send(core, reader, address, template, &page(core, "")).await
}

/// Sends a mail to an address, with the name and in the language of a user.
async fn send(
    core: &Core,
    reader: &user::Model,
    address: &str,
    template: Template,
    link: &str,
) -> Result<(), Error> {
    // Anyone can register with the address of another person. A username is too short for an advertisement.
    let name = match reader.verified_at {
        Some(_) => &reader.display_name,
        None => &reader.username,
    };
    let values = MailValues {
        server: &core.config.server_name,
        name,
        link,
    };
    core.mailer
        .send(address, &reader.locale, template, &values)
        .await
}
