//! Manages accounts for the command line.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QueryOrder,
    Set,
};

use crate::{
    core::Core,
    db::Db,
    domain::{
        accounts::{self, Registration},
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::{self, SessionFilter},
        users,
    },
    entity::{
        session::SessionEndReason,
        user::{self, ServerRole},
    },
    error::Error,
};

/// Creates an account with this role. Ignores the sign-up policy.
pub async fn create(
    core: &Core,
    new: Registration,
    role: ServerRole,
) -> Result<user::Model, Error> {
    let turn = core.passwords.turn([]).await?;
    let new = &accounts::check(core, &turn, new).await?;
    let hash = &turn.hash(&new.password).await?;
    core.db
        .write(|tx| async move {
            accounts::create_for_operator_in(&tx, core, &new.account, hash, role).await
        })
        .await
}

/// Lists the accounts with at least this role, by username.
pub async fn list(db: &Db, min: ServerRole) -> Result<Vec<user::Model>, Error> {
    let roles = ServerRole::iter().filter(|role| *role >= min);
    let found = user::Entity::find()
        .filter(user::Column::Role.is_in(roles))
        .order_by_asc(user::Column::UsernameKey);
    Ok(found.all(db.read()).await?)
}

/// Sets a new password and ends all sessions of the account. Returns the number of ended sessions.
pub async fn reset_password(core: &Core, username: &str, password: &str) -> Result<usize, Error> {
    let found = users::by_username(&core.db, username).await?;
    let user = &found.ok_or_else(|| Error::not_found("account"))?;
    let words = [user.username.as_str(), &user.display_name];
    let turn = core.passwords.turn([]).await?;
    Error::check(turn.problems("password", password, &words).await?)?;
    let hash = &turn.hash(password).await?;
    core.db
        .write(|tx| async move {
            let now = core.clock.now();
            let mut row = user.clone().into_active_model();
            row.password_hash = Set(Some(hash.clone()));
            row.failed_sign_ins = Set(0);
            row.sign_in_blocked_until = Set(None);
            row.update(&*tx).await?;
            accounts::reset_logins_in(&tx, core, user).await?;
            let reason = SessionEndReason::Revoked;
            let ended = sessions::end_in(&tx, user.id, SessionFilter::All, reason, now).await?;
            let record = AuditRecord::new(AuditAction::UserPasswordReset, None)
                .on(AuditTarget::User(user.id));
            audit::append_in(&tx, now, record).await?;
            Ok(ended.len())
        })
        .await
}

/// Removes the second factor of an account, and ends its sessions. Fails if it has none.
pub async fn reset_second_factor(core: &Core, username: &str) -> Result<(), Error> {
    let found = users::by_username(&core.db, username).await?;
    let user = &found.ok_or_else(|| Error::not_found("account"))?;
    core.db
        .write(|tx| async move {
            if !accounts::remove_second_factor_in(&tx, core, user.id).await? {
                return Err(Error::conflict("This account has no second factor."));
            }
            let record = AuditRecord::new(AuditAction::UserSecondFactorDisabled, None)
                .on(AuditTarget::User(user.id));
            audit::append_in(&tx, core.clock.now(), record).await
        })
        .await
}
