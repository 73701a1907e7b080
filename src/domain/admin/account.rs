//! Accounts as moderators, auditors and administrators see them.

use sea_orm::{ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, Select};

use crate::{
    db::Db,
    domain::{sessions::Viewer, users},
    entity::user::{self, Column, ServerRole},
    error::Error,
    id::UserId,
};

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// Can sign in.
    Active,
    /// The address is not verified yet.
    Pending,
    /// Suspended by an administrator or a moderator.
    Suspended,
}

/// Returns the state of an account.
#[must_use]
pub fn status(user: &user::Model) -> AccountStatus {
    if user.suspended_at.is_some() {
        AccountStatus::Suspended
    } else if user.verified_at.is_none() && (user.email.is_some() || user.pending_email.is_some()) {
        AccountStatus::Pending
    } else {
        AccountStatus::Active
    }
}

/// Narrows the list of accounts. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Part of the display name, the username or the address.
    pub text: Option<String>,
    /// The state.
    pub status: Option<AccountStatus>,
    /// The role.
    pub role: Option<ServerRole>,
}

impl AccountFilter {
    /// Returns the condition.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let matches = |text: &String| {
            let has_address = Column::EmailKey.into_expr().like(users::like_pattern(text));
            users::name_matches(text).add(has_address)
        };
        // A user of a trusted issuer may have no address.
        let has_address = Column::Email
            .is_not_null()
            .or(Column::PendingEmail.is_not_null());
        let is_suspended = Column::SuspendedAt.is_not_null();
        let is_usable = || Condition::all().add(Column::SuspendedAt.is_null());
        let has_status = |status| match status {
            AccountStatus::Suspended => Condition::all().add(is_suspended),
            AccountStatus::Pending => is_usable()
                .add(Column::VerifiedAt.is_null())
                .add(has_address),
            AccountStatus::Active => {
                let is_verified = Column::VerifiedAt.is_not_null();
                is_usable().add(is_verified.or(has_address.not()))
            }
        };
        Condition::all()
            .add_option(self.text.as_ref().map(matches))
            .add_option(self.status.map(has_status))
            .add_option(self.role.map(|role| Column::Role.eq(role)))
    }
}

/// Selects the accounts, for viewers with a role on the server. The authors of imported messages have none.
#[must_use]
pub fn readable(viewer: &Viewer) -> Option<Select<user::Entity>> {
    let accounts = || user::Entity::find().filter(Column::ImportKey.is_null());
    (viewer.role > ServerRole::Member).then(accounts)
}

/// Finds the account of a user. For viewers without a role on the server, it does not exist.
pub async fn account(db: &Db, viewer: &Viewer, user: UserId) -> Result<Option<user::Model>, Error> {
    let Some(accounts) = readable(viewer) else {
        return Ok(None);
    };
    Ok(accounts.filter(Column::Id.eq(user)).one(db.read()).await?)
}
