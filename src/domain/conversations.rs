//! Conversations: who talks with whom.

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
