//! What all nodes of one database share: a name, and the keys that seal tokens and cursors.

use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    db::{self, Db},
    error::Error,
};

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
        let text = "UPDATE installation SET key_id = ? WHERE key_id IS NULL OR key_id <> ?";
        db::execute(&*tx, text, [key_id.into(), key_id.into()]).await?;
        Ok(())
    })
    .await
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    key_id: Option<String>,
}

async fn read(db: &Db) -> Result<Row, Error> {
    let found: Option<Row> =
        db::fetch_one(db.read(), "SELECT id, key_id FROM installation", []).await?;
    found.ok_or_else(|| Error::internal("the database has lost its name"))
}
