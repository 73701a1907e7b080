//! Confirms the identity of the viewer before important changes, so that a stolen session is not enough for them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::{Attempt, SecondFactor};
use crate::{
    core::Core,
    db::Tx,
    domain::{
        accounts::{lockout::LockoutKey, password_check},
        sessions::{self, Viewer},
        users,
    },
    entity::session,
    error::{Code, Error, Problem},
};

/// A proof of the viewer's identity.
#[derive(Clone, Debug)]
pub enum IdentityProof {
    /// The password. Not enough for an account with a second factor.
    Password(String),
    /// A code of the authenticator app.
    TotpCode(String),
    /// A recovery code.
    RecoveryCode(String),
}

/// Allows important changes in this session for a time.
pub async fn reauthenticate(
    core: &Core,
    viewer: &Viewer,
    proof: &IdentityProof,
) -> Result<session::Model, Error> {
    let (factor, given) = match proof {
        IdentityProof::Password(password) => {
            return with_password(core, viewer, password).await;
        }
        IdentityProof::TotpCode(given) => (SecondFactor::Totp, given),
        IdentityProof::RecoveryCode(given) => (SecondFactor::RecoveryCode, given),
    };
    let attempt = Attempt::start(core, viewer.user).await?;
    let confirmed = &attempt;
    let outcome = core
        .db
        .write(|tx| async move {
            confirmed.confirm_in(&tx, core, factor, given).await?;
            set_in(&tx, core, viewer).await
        })
        .await;
    attempt.finish(core, outcome).await
}

async fn with_password(
    core: &Core,
    viewer: &Viewer,
    password: &str,
) -> Result<session::Model, Error> {
    let is_too_little = sessions::has_second_factor(core.db.read(), viewer.user).await?;
    let problem = is_too_little.then(|| {
        let message = "Your account has a second factor. Enter a code instead of the password.";
        Problem::new("password", "INVALID", message)
    });
    Error::check(problem.into_iter().collect())?;
    let user = &users::own(core, viewer).await?;
    password_check::verify_given(core, user, password).await?;
    core.db
        .write(|tx| async move {
            password_check::confirm_in(&tx, user, &LockoutKey::Account(user.id), None).await?;
            set_in(&tx, core, viewer).await
        })
        .await
}

async fn set_in(tx: &Tx, core: &Core, viewer: &Viewer) -> Result<session::Model, Error> {
    let updated = session::Entity::update_many()
        .set(session::ActiveModel {
            reauthenticated_at: Set(Some(core.clock.now())),
            ..Default::default()
        })
        .filter(session::Column::Id.eq(viewer.session))
        .filter(session::Column::EndedAt.is_null())
        .exec_with_returning(tx)
        .await?;
    let updated = updated.into_iter().next();
    updated.ok_or_else(Error::unauthenticated)
}

/// Fails with `REAUTHENTICATION_REQUIRED` unless the viewer has confirmed their identity recently, in this session.
pub(in crate::domain) async fn require_recent(core: &Core, viewer: &Viewer) -> Result<(), Error> {
    let session = session::Entity::find_by_id(viewer.session);
    let session = session.one(core.db.read()).await?;
    let session = session.ok_or_else(Error::unauthenticated)?;
    let until = sessions::reauthenticated_until(&session, core.clock.now());
    if until.is_some() {
        return Ok(());
    }
    let message = "Confirm first that it is you, with your password or a code.";
    Err(Error::new(Code::ReauthenticationRequired, message))
}
