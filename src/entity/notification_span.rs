//! Table `notification_span`: the sequence numbers in which plain messages notified a participant under earlier settings.

use sea_orm::entity::prelude::*;

use crate::id::ParticipantId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_span")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: ParticipantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_seq: i32,
    pub to_seq: i32,
    /// Whether only urgent messages and replies in followed threads notified.
    pub mentions_only: bool,
    #[sea_orm(belongs_to, from = "participant_id", to = "id")]
    pub participant: BelongsTo<super::participant::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
