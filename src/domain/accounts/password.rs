//! Changes the viewer's password.

use super::{
    email_change,
    lockout::{self, LockoutKey},
    password_check,
    register::own_words,
};
use crate::{
    core::Core,
    domain::{
        audit::{self, AuditAction, AuditRecord},
        sessions::{self, SessionFilter, Viewer},
        users,
    },
    entity::session::SessionEndReason,
    error::Error,
};

/// Replaces the viewer's password and ends their other sessions, which may belong to someone who knew the old one. Also cancels a
/// change of the address, which that person may have requested.
/// `current` may be missing only if the account has no password.
pub async fn change_password(
    core: &Core,
    viewer: &Viewer,
    current: Option<&str>,
    new: &str,
) -> Result<(), Error> {
    let user = users::own(core, viewer).await?;
    let words = own_words(core, &user);
    let key = &LockoutKey::Account(user.id);
    let turn = core.passwords.turn([key.owner()]).await?;
    let mut problems = turn.problems("newPassword", new, &words).await?;
    problems.extend(password_check::missing_password(
        &user,
        "currentPassword",
        current,
    ));
    Error::check(problems)?;
    if let Some(current) = current.filter(|_| user.password_hash.is_some()) {
        password_check::verify_password(core, &turn, &user, current).await?;
    }
    let hash = turn.hash(new).await?;
    let (user, hash) = (&user, hash.as_str());
    core.db
        .write(|tx| async move {
            password_check::confirm_in(&tx, user, key, Some(hash)).await?;
            lockout::reset_logins_in(&tx, core, user).await?;
            email_change::cancel_in(&tx, user.id).await?;
            let others = SessionFilter::AllExcept(viewer.session);
            let reason = SessionEndReason::Revoked;
            let now = core.clock.now();
            sessions::end_in(&tx, user.id, others, reason, now).await?;
            let record = AuditRecord::own(AuditAction::UserPasswordChanged, user.id);
            audit::append_in(&tx, now, record).await
        })
        .await
}
