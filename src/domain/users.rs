//! People as others see them.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{ExprTrait, LikeExpr},
};
use unicode_normalization::UnicodeNormalization;

use crate::{
    core::Core,
    db::Db,
    domain::sessions::Viewer,
    entity::{participant, user},
    error::Error,
};

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

/// The people this viewer may find: those who did not hide from search.
#[must_use]
pub fn searchable(viewer: &Viewer) -> Select<user::Entity> {
    visible(viewer).filter(user::Column::IsSearchable.eq(true))
}

/// Whose name or username contains this text.
#[must_use]
pub fn name_matches(text: &str) -> Condition {
    let contains = |column: user::Column| column.into_expr().like(like_pattern(text));
    Condition::any()
        .add(contains(user::Column::DisplayNameKey))
        .add(contains(user::Column::UsernameKey))
}

/// The pattern of a [`key`] that contains this text, in which no letter means anything but itself.
#[must_use]
pub fn like_pattern(text: &str) -> LikeExpr {
    let text: String = key(text.trim())
        .chars()
        .filter(|letter| !letter.is_control())
        .flat_map(|letter| match letter {
            '%' | '_' | '\\' => vec!['\\', letter],
            _ => vec![letter],
        })
        .collect();
    LikeExpr::new(format!("%{text}%")).escape('\\')
}

/// The people who share a conversation with this viewer, once for each conversation.
#[must_use]
pub fn contacts(viewer: &Viewer) -> Select<participant::Entity> {
    let own = participant::Entity::find()
        .select_only()
        .column(participant::Column::ConversationId)
        .filter(participant::Column::UserId.eq(viewer.user))
        .into_query();
    participant::Entity::find().filter(participant::Column::ConversationId.in_subquery(own))
}

/// The viewer's own row.
pub async fn own(core: &Core, viewer: &Viewer) -> Result<user::Model, Error> {
    let found = user::Entity::find_by_id(viewer.user)
        .one(core.db.read())
        .await?;
    found.ok_or_else(Error::unauthenticated)
}
