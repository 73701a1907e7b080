//! People as others see them.

use sea_orm::{EntityTrait, Select};

use crate::{domain::sessions::Viewer, entity::user};

/// The form in which usernames and addresses are compared.
#[must_use]
pub fn key(text: &str) -> String {
    text.to_lowercase()
}

/// The people this viewer may know of: everybody on the server.
#[must_use]
pub fn visible(_: &Viewer) -> Select<user::Entity> {
    user::Entity::find()
}
