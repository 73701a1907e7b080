//! Which users have an identity.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::{
    entity::identity::{self, Column},
    error::Error,
    id::UserId,
};

/// Returns those of the users for whom a trusted issuer signs tokens.
pub async fn with_identity(
    db: &impl ConnectionTrait,
    users: &[UserId],
) -> Result<Vec<UserId>, Error> {
    let found = identity::Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::UserId.is_in(users.iter().copied()));
    Ok(found.into_tuple().all(db).await?)
}
