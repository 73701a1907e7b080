//! Table `read_mark`: how far each user has read a timeline or a thread.

use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "read_mark")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The id of the conversation, for its timeline, or of the root message, for a thread.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lane_id: Uuid,
    pub conversation_id: ConversationId,
    pub seq: i32,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
