//! The installation: the id of all nodes that share a database, and the id of the keys that sign their tokens and
//! cursors.

use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use crate::{db::Db, entity::installation, error::Error};

/// The id of all nodes that share this database.
pub async fn id(db: &Db) -> Result<Uuid, Error> {
    Ok(read(db).await?.id)
}

/// Whether other nodes of this database have stored another key id than this.
pub async fn has_other_keys(db: &Db, key_id: &str) -> Result<bool, Error> {
    let stored = read(db).await?.key_id;
    Ok(stored.is_some_and(|stored| stored != key_id))
}

/// Stores the id of the keys that the nodes of this database use from now on.
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

/// Changes the row and restores it in one transaction, to find whether the database can write. SQLite would not write a
/// row that does not change.
pub async fn probe_write(db: &Db) -> Result<(), Error> {
    let stored = &read(db).await?.key_id;
    db.write(|tx| async move {
        for value in [&Some("probe".to_owned()), stored] {
            installation::Entity::update_many()
                .col_expr(installation::Column::KeyId, Expr::value(value.clone()))
                .exec(&*tx)
                .await?;
        }
        Ok(())
    })
    .await
}

async fn read(db: &Db) -> Result<installation::Model, Error> {
    let found = installation::Entity::find().one(db.read()).await?;
    found.ok_or_else(|| Error::internal("the installation row is missing"))
}
