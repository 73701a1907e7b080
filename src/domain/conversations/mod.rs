//! Conversations: who talks with whom.

mod create;
mod delete;
mod direct;
mod leave;
mod list;
mod settings;
pub mod timeline;
mod update;
mod validation;

pub use create::{NewGroup, create};
pub use delete::{delete, delete_in, erase};
pub use direct::{Opened, direct_key, open_direct};
pub use leave::{leave, promote_successor_in};
pub use list::{Columns, ConversationFilter, ListColumn, Row, list};
pub use settings::{Settings, update_settings};
pub use update::{Edits, update};

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
