//! Conversations: who talks with whom.

mod create;
mod delete;
mod direct;
mod list;
mod settings;
mod update;
mod validation;

pub use create::{NewGroup, create};
pub use delete::{delete, delete_in, erase};
pub use direct::{Opened, direct_key, open_direct};
pub use list::{Columns, ConversationFilter, Row, list};
pub use settings::{Settings, update_settings};
pub use update::{Edits, update};

use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait, Select,
};

use crate::{
    db::Tx,
    domain::sessions::Viewer,
    entity::{conversation, participant},
    error::Error,
    id::ConversationId,
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

/// The row of a conversation as it is after changes in this transaction.
pub(super) async fn reload(tx: &Tx, id: ConversationId) -> Result<conversation::Model, Error> {
    let found = conversation::Entity::find_by_id(id).one(tx).await?;
    found.ok_or_else(|| Error::not_found("conversation"))
}
