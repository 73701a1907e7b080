//! Conversations: direct conversations and groups, the list of a user, and the timeline.

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
pub use list::{ConversationColumns, ConversationFilter, ConversationRow, list, list_columns};
pub use settings::{Settings, update_settings};
pub use update::{Edits, update};
pub(in crate::domain) use validation::title;

use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait, Select,
};

use crate::{
    domain::sessions::Viewer,
    entity::{conversation, participant},
};

/// Selects the conversations in which the viewer takes part.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<conversation::Entity> {
    conversation::Entity::find()
        .join_rev(
            JoinType::InnerJoin,
            participant::Relation::Conversation.def(),
        )
        .filter(participant::Column::UserId.eq(viewer.user))
}

/// Selects the direct conversations with these keys, which [`direct_key`] returns.
pub fn direct(
    viewer: &Viewer,
    keys: impl IntoIterator<Item = String>,
) -> Select<conversation::Entity> {
    visible(viewer).filter(conversation::Column::DirectKey.is_in(keys))
}
