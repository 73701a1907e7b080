//! People as others see them.

use sea_orm::{EntityTrait, Select};
use unicode_normalization::UnicodeNormalization;

use crate::{domain::sessions::Viewer, entity::user};

/// The form in which names and addresses are compared and sorted.
#[must_use]
pub fn key(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// The people this viewer may know of: everybody on the server.
#[must_use]
pub fn visible(_: &Viewer) -> Select<user::Entity> {
    user::Entity::find()
}
