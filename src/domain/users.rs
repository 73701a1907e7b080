//! People as others see them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use unicode_normalization::UnicodeNormalization;

use crate::{db::Db, domain::sessions::Viewer, entity::user, error::Error};

/// The form in which names and addresses are compared and sorted.
#[must_use]
pub fn key(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// The account with this username, for those who run the server.
pub async fn by_username(db: &Db, name: &str) -> Result<Option<user::Model>, Error> {
    let found = user::Entity::find().filter(user::Column::UsernameKey.eq(key(name)));
    Ok(found.one(db.read()).await?)
}

/// The people this viewer may know of: everybody on the server.
#[must_use]
pub fn visible(_: &Viewer) -> Select<user::Entity> {
    user::Entity::find()
}
