//! Table `notification_mark`: notifications of plain messages that were read or dismissed, other than those that follow
//! from read positions.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::ParticipantId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_mark")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: ParticipantId,
    /// The id of the conversation, for its timeline, or of the root message, for a thread.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub is_dismissed: bool,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_seq: i32,
    pub to_seq: i32,
    /// When the notifications were read or dismissed.
    pub at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "participant_id", to = "id")]
    pub participant: BelongsTo<super::participant::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
