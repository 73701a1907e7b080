//! Creates accounts for other people, who set the password themselves.

use sea_orm::ActiveEnum;

use super::rights::require_admin;
use crate::{
    auth::action_limits::Action,
    core::Core,
    domain::{
        accounts::{self, NewAccount},
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::Viewer,
    },
    entity::{
        email_token::EmailTokenPurpose,
        user::{self, ServerRole},
    },
    error::Error,
    jobs::{self, AccountMail},
};

/// Creates an account without a password, and mails a link that sets one; returns the link where the server sends no mail.
/// A role above MEMBER needs a recent confirmation of the viewer's identity.
pub async fn create_user(
    core: &Core,
    viewer: &Viewer,
    new: NewAccount,
    role: ServerRole,
) -> Result<(user::Model, Option<String>), Error> {
    require_admin(viewer)?;
    if role != ServerRole::Member {
        accounts::require_recent(core, viewer).await?;
    }
    let mut problems = vec![];
    let new = &accounts::check_account(core, new, &mut problems).await?;
    Error::check(problems)?;
    core.action_limits
        .consume(viewer.user.0, Action::Invite)
        .await?;
    let created = core
        .db
        .write(|tx| async move {
            let user = accounts::create_in(&tx, core, new, None, role).await?;
            let (mail, now) = (AccountMail::SetUpAccount, core.clock.now());
            jobs::enqueue_mail_in(&tx, &core.mailer, mail, user.id, now).await?;
            let record = AuditRecord::new(AuditAction::UserCreated, Some(viewer.user))
                .on(AuditTarget::User(user.id))
                .change("role", None, Some(&role.to_value()));
            audit::append_in(&tx, now, record).await?;
            Ok(user)
        })
        .await?;
    let link = accounts::password_link(core, &created, EmailTokenPurpose::SetUpAccount).await?;
    Ok((created, link))
}
