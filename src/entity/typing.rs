//! Table `typing`: the users that type now, each with a lease that expires.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, ThreadId, UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "typing")]
pub struct Model {
    /// The id of the thread, or of the conversation for its timeline.
    #[sea_orm(primary_key, auto_increment = false, column_name = "place_id")]
    pub scope_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub conversation_id: ConversationId,
    pub thread_id: Option<ThreadId>,
    pub expires_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
    #[sea_orm(belongs_to, from = "thread_id", to = "id")]
    pub thread: BelongsTo<Option<super::thread::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
