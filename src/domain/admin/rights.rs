//! Who may administer which accounts.

use sea_orm::{EntityTrait, QuerySelect};

use crate::{
    db::Tx,
    domain::{
        audit::{AuditAction, AuditRecord, AuditTarget},
        sessions::Viewer,
        text,
    },
    entity::user::{self, ServerRole},
    error::{Error, Problem},
    id::UserId,
};

/// The longest reason, in characters.
const REASON_LENGTH: usize = 500;

/// Fails unless the viewer is an administrator.
pub(super) fn require_admin(viewer: &Viewer) -> Result<(), Error> {
    if viewer.role == ServerRole::Admin {
        return Ok(());
    }
    Err(Error::forbidden("Only administrators can do this."))
}

/// Fails unless the viewer is a moderator or an administrator.
pub(super) fn require_moderator(viewer: &Viewer) -> Result<(), Error> {
    if matches!(viewer.role, ServerRole::Moderator | ServerRole::Admin) {
        return Ok(());
    }
    let message = "Only moderators and administrators can do this.";
    Err(Error::forbidden(message))
}

/// Loads an account that is to be changed, and locks it.
pub(super) async fn lock_in(tx: &Tx, user: UserId) -> Result<user::Model, Error> {
    let found = user::Entity::find_by_id(user)
        .lock_exclusive()
        .one(tx)
        .await?;
    found.ok_or_else(|| Error::not_found("user"))
}

/// Validates the reason that the audit log keeps.
pub(super) fn reason(given: &str) -> Result<String, Error> {
    let mut problems = vec![];
    let line = text::line("reason", REASON_LENGTH, given, &mut problems);
    if line.is_none() && problems.is_empty() {
        problems.push(Problem::new("reason", "REQUIRED", "Enter a reason."));
    }
    Error::check(problems)?;
    Ok(line.unwrap_or_default())
}

/// The record of a change of an account, with its reason.
pub(super) fn record(
    viewer: &Viewer,
    user: UserId,
    action: AuditAction,
    reason: &str,
) -> AuditRecord {
    AuditRecord::new(action, Some(viewer.user))
        .on(AuditTarget::User(user))
        .change("reason", None, Some(reason))
}
