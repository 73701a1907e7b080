//! Keeps the last administrator of a server.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    db::Tx,
    entity::user::{Column, Entity, ServerRole},
    error::Error,
    id::UserId,
};

/// Fails if this user is the only administrator who can sign in. Locks the administrators, so that two of them cannot
/// remove each other at the same time.
pub async fn require_another_administrator_in(tx: &Tx, user: UserId) -> Result<(), Error> {
    let administrators: Vec<UserId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Role.eq(ServerRole::Admin))
        .filter(Column::SuspendedAt.is_null())
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(tx)
        .await?;
    if administrators == [user] {
        let message = "This is the last administrator. Give the role to another account first.";
        return Err(Error::forbidden(message));
    }
    Ok(())
}
