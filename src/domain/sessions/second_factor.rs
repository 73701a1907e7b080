//! Which sessions are restricted until their user sets up a second factor.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
};

use crate::{
    config::Config,
    entity::{authenticator, user::ServerRole},
    error::Error,
    id::UserId,
};

/// Whether this server requires a second factor of users with this role.
#[must_use]
pub fn requires_second_factor(config: &Config, role: ServerRole) -> bool {
    let is_administrator = role == ServerRole::Admin;
    config.require_second_factor || (config.require_admin_second_factor && is_administrator)
}

/// Whether the user has a second factor.
pub async fn has_second_factor(db: &impl ConnectionTrait, user: UserId) -> Result<bool, Error> {
    let own = authenticator::Entity::find_by_id(user);
    let own = own.filter(authenticator::Column::Secret.is_not_null());
    Ok(own.count(db).await? > 0)
}

/// Returns those of the users who have a second factor.
pub async fn with_second_factor(
    db: &impl ConnectionTrait,
    users: &[UserId],
) -> Result<Vec<UserId>, Error> {
    let found = authenticator::Entity::find()
        .select_only()
        .column(authenticator::Column::UserId)
        .filter(authenticator::Column::UserId.is_in(users.iter().copied()))
        .filter(authenticator::Column::Secret.is_not_null());
    Ok(found.into_tuple().all(db).await?)
}

/// Whether the user has to set up a second factor before anything else.
pub(super) async fn lacks_second_factor(
    db: &impl ConnectionTrait,
    config: &Config,
    user: UserId,
    role: ServerRole,
) -> Result<bool, Error> {
    Ok(requires_second_factor(config, role) && !has_second_factor(db, user).await?)
}
