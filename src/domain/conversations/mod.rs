//! Conversations: who talks with whom.

mod create;
mod list;
mod open;
mod words;

pub use create::{NewGroup, create};
pub use list::{Narrowing, list};
pub use open::{Opened, direct_key, open_direct};

use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait, Select,
};

use crate::{
    domain::sessions::Viewer,
    entity::{conversation, participant},
};

/// The conversations this viewer takes part in.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<conversation::Entity> {
    conversation::Entity::find()
        .join_rev(
            JoinType::InnerJoin,
            participant::Relation::Conversation.def(),
        )
        .filter(participant::Column::UserId.eq(viewer.user))
}

/// The direct conversations among exactly these sets of people, each given by its [`direct_key`].
pub fn direct(
    viewer: &Viewer,
    keys: impl IntoIterator<Item = String>,
) -> Select<conversation::Entity> {
    visible(viewer).filter(conversation::Column::DirectKey.is_in(keys))
}
