//! Changes of the accounts of other users, by administrators. None of them reveals or sets a password.

use sea_orm::{ActiveEnum, ActiveModelTrait, IntoActiveModel, Set};

use super::rights::{lock_in, reason, record, require_admin};
use crate::{
    core::Core,
    domain::{
        accounts,
        audit::{self, AuditAction},
        sessions::{self, SessionFilter, Viewer},
    },
    entity::{
        email_token::EmailTokenPurpose,
        session::SessionEndReason,
        user::{self, ServerRole},
    },
    error::Error,
    id::UserId,
    jobs::{self, AccountMail},
};

/// Changes the role of an account on the server. Needs a recent confirmation of the viewer's identity.
pub async fn change_role(
    core: &Core,
    viewer: &Viewer,
    user: UserId,
    role: ServerRole,
    given: &str,
) -> Result<user::Model, Error> {
    require_admin(viewer)?;
    let reason = &reason(given)?;
    accounts::require_recent(core, viewer).await?;
    core.db
        .write(|tx| async move {
            if role != ServerRole::Admin {
                accounts::require_another_administrator_in(&tx, user).await?;
            }
            let found = lock_in(&tx, user).await?;
            let before = found.role;
            if before == role {
                return Ok(found);
            }
            let mut row = found.into_active_model();
            row.role = Set(role);
            let changed = row.update(&*tx).await?;
            // The cached sessions of the user contain the role.
            tx.invalidate_sessions_on_commit();
            let record = record(viewer, user, AuditAction::UserRoleChanged, reason);
            let record = record.change("role", Some(&before.to_value()), Some(&role.to_value()));
            audit::append_in(&tx, core.clock.now(), record).await?;
            Ok(changed)
        })
        .await
}

/// Ends every session of an account. Returns how many there were.
pub async fn revoke_access(
    core: &Core,
    viewer: &Viewer,
    user: UserId,
    given: &str,
) -> Result<usize, Error> {
    require_admin(viewer)?;
    let reason = &reason(given)?;
    core.db
        .write(|tx| async move {
            lock_in(&tx, user).await?;
            let (ended, now) = (SessionEndReason::Revoked, core.clock.now());
            let ended = sessions::end_in(&tx, user, SessionFilter::All, ended, now).await?;
            let record = record(viewer, user, AuditAction::UserAccessRevoked, reason);
            audit::append_in(&tx, core.clock.now(), record).await?;
            Ok(ended.len())
        })
        .await
}

/// Removes the second factor of a user who has lost it, and ends their sessions.
pub async fn reset_user_second_factor(
    core: &Core,
    viewer: &Viewer,
    user: UserId,
    given: &str,
) -> Result<user::Model, Error> {
    require_admin(viewer)?;
    let reason = &reason(given)?;
    core.db
        .write(|tx| async move {
            let found = lock_in(&tx, user).await?;
            if accounts::remove_second_factor_in(&tx, core, user).await? {
                let action = AuditAction::UserSecondFactorDisabled;
                let record = record(viewer, user, action, reason);
                audit::append_in(&tx, core.clock.now(), record).await?;
            }
            Ok(found)
        })
        .await
}

/// Mails a link for a new password to the user; the present password works until the link is used. Where the server
/// sends no mail, returns the link.
pub async fn send_password_reset(
    core: &Core,
    viewer: &Viewer,
    user: UserId,
    given: &str,
) -> Result<(user::Model, Option<String>), Error> {
    require_admin(viewer)?;
    let reason = &reason(given)?;
    let found = core
        .db
        .write(|tx| async move {
            let found = lock_in(&tx, user).await?;
            let (mail, now) = (AccountMail::ResetPassword, core.clock.now());
            jobs::enqueue_mail_in(&tx, &core.mailer, mail, user, now).await?;
            let record = record(viewer, user, AuditAction::UserPasswordResetSent, reason);
            audit::append_in(&tx, core.clock.now(), record).await?;
            Ok(found)
        })
        .await?;
    let link = accounts::password_link(core, &found, EmailTokenPurpose::ResetPassword).await?;
    Ok((found, link))
}
