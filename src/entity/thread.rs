//! Table `thread`: the root messages that have replies, with the state of their threads.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, ThreadId};

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "thread")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ThreadId,
    pub conversation_id: ConversationId,
    pub reply_count: i32,
    pub last_reply_seq: i32,
    pub last_activity_at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "id", to = "id")]
    pub root: BelongsTo<super::message::Entity>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
