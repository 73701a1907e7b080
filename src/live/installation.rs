//! What all nodes of one database share: a name, and the keys that seal tokens and cursors.

use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use crate::{db::Db, entity::installation, error::Error};

/// The name of all nodes that share this database.
pub async fn id(db: &Db) -> Result<Uuid, Error> {
    Ok(read(db).await?.id)
}

/// Whether the nodes of this database are known to use other keys than these.
pub async fn has_other_keys(db: &Db, key_id: &str) -> Result<bool, Error> {
    let known = read(db).await?.key_id;
    Ok(known.is_some_and(|known| known != key_id))
}

/// From now on these are the keys of the database's nodes.
pub async fn keep_keys(db: &Db, key_id: &str) -> Result<(), Error> {
    db.write(|tx| async move {
        let key = installation::Column::KeyId;
        installation::Entity::update_many()
            .col_expr(key, Expr::value(key_id))
            .filter(key.is_null().or(key.ne(key_id)))
            .exec(&*tx)
            .await?;
        Ok(())
    })
    .await
}

async fn read(db: &Db) -> Result<installation::Model, Error> {
    let found = installation::Entity::find().one(db.read()).await?;
    found.ok_or_else(|| Error::internal("the database has lost its name"))
}
