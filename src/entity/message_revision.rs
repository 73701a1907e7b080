//! Table `message_revision`: the earlier bodies of edited messages.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{MessageId, RevisionId, UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_revision")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RevisionId,
    pub message_id: MessageId,
    pub number: i32,
    pub body: String,
    pub reason: Option<String>,
    pub editor_id: Option<UserId>,
    pub replaced_at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "message_id", to = "id")]
    pub message: BelongsTo<super::message::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Editor", from = "editor_id", to = "id")]
    pub editor: BelongsTo<Option<super::user::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
