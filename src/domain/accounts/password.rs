//! Changing one's password.

use super::{sign_in, words};
use crate::{
    core::Core,
    domain::{
        sessions::{self, Viewer, Which},
        users,
    },
    entity::session::SessionEndReason,
    error::{Error, Problem},
};

/// Replaces the viewer's password and ends their other sessions: whoever knew the old one is out. The
/// present password may be missing only when none is set.
pub async fn change_password(
    core: &Core,
    viewer: &Viewer,
    current: Option<&str>,
    new: &str,
) -> Result<(), Error> {
    let user = users::own(core, viewer).await?;
    let names = [
        user.username.as_str(),
        user.email.as_deref().unwrap_or_default(),
        user.display_name.as_str(),
    ];
    let words = words(core, &names);
    let mut problems = core.passwords.problems("newPassword", new, &words).await?;
    if user.password_hash.is_some() && current.is_none() {
        let message = "Give the present password.";
        problems.push(Problem::new("currentPassword", "REQUIRED", message));
    }
    Error::check(problems)?;
    if let Some(current) = current.filter(|_| user.password_hash.is_some()) {
        sign_in::prove(core, &user, current).await?;
    }
    let hash = core.passwords.hash(new).await?;
    let (user, hash) = (&user, hash.as_str());
    core.db
        .write(|tx| async move {
            sign_in::proven_in(&tx, user, Some(hash)).await?;
            let others = Which::AllBut(viewer.session);
            let reason = SessionEndReason::Revoked;
            sessions::end_in(&tx, user.id, others, reason, core.clock.now()).await
        })
        .await?;
    Ok(())
}
