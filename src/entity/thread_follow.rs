//! Table `thread_follow`: the users who follow a thread, or have stopped following it.

use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, ThreadId, UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "thread_follow")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub thread_id: ThreadId,
    pub conversation_id: ConversationId,
    pub is_following: bool,
    /// Following applies from this sequence number on. [`thread_follow_span`](super::thread_follow_span) has the earlier ones.
    pub from_seq: i32,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "thread_id", to = "id")]
    pub root: BelongsTo<super::message::Entity>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
