//! Suspends accounts, whose users cannot sign in until they are reinstated.

use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use super::rights::{lock_in, reason, record, require_moderator};
use crate::{
    core::Core,
    domain::{
        accounts,
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{self, SessionFilter, Viewer},
    },
    entity::{
        session::SessionEndReason,
        user::{self, ServerRole},
    },
    error::Error,
    id::UserId,
};

/// Suspends an account and ends its sessions. Its user sees the reason at the next sign-in.
pub async fn suspend(
    core: &Core,
    viewer: &Viewer,
    user: UserId,
    given: &str,
) -> Result<user::Model, Error> {
    require_moderator(viewer)?;
    let reason = &reason(given)?;
    core.db
        .write(|tx| async move {
            accounts::require_another_administrator_in(&tx, user).await?;
            let found = lock_in(&tx, user).await?;
            check_rank(viewer, &found)?;
            if found.suspended_at.is_some() {
                return Ok(found);
            }
            let now = core.clock.now();
            let mut row = found.into_active_model();
            row.suspended_at = Set(Some(now));
            row.suspension_reason = Set(Some(reason.clone()));
            let suspended = row.update(&*tx).await?;
            let ended = SessionEndReason::Revoked;
            sessions::end_in(&tx, user, SessionFilter::All, ended, now).await?;
            let record = record(viewer, user, AuditAction::UserSuspended, reason);
            audit::append_in(&tx, now, record).await?;
            Ok(suspended)
        })
        .await
}

/// Lets the user of a suspended account sign in again.
pub async fn reinstate(
    core: &Core,
    viewer: &Viewer,
    user: UserId,
    given: Option<&str>,
) -> Result<user::Model, Error> {
    require_moderator(viewer)?;
    let reason = &given.map(reason).transpose()?;
    core.db
        .write(|tx| async move {
            let found = lock_in(&tx, user).await?;
            check_rank(viewer, &found)?;
            if found.suspended_at.is_none() {
                return Ok(found);
            }
            let mut row = found.into_active_model();
            row.suspended_at = Set(None);
            row.suspension_reason = Set(None);
            let reinstated = row.update(&*tx).await?;
            let mut record = AuditRecord::new(AuditAction::UserReinstated, Some(viewer.user))
                .on(AuditTarget::User(user));
            if let Some(reason) = reason {
                record = record.change("reason", None, Some(reason));
            }
            audit::append_in(&tx, core.clock.now(), record).await?;
            Ok(reinstated)
        })
        .await
}

/// Moderators suspend members only.
fn check_rank(viewer: &Viewer, user: &user::Model) -> Result<(), Error> {
    if viewer.user == user.id {
        return Err(Error::forbidden("You cannot suspend your own account."));
    }
    if viewer.role == ServerRole::Admin || user.role == ServerRole::Member {
        return Ok(());
    }
    let message = "Only administrators can suspend or reinstate accounts with a server role.";
    Err(Error::forbidden(message))
}
