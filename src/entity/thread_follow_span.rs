//! Table `thread_follow_span`: the sequence numbers in which a participant followed a thread before they stopped.

use sea_orm::entity::prelude::*;

use crate::id::{ParticipantId, ThreadId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "thread_follow_span")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: ParticipantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub thread_id: ThreadId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_seq: i32,
    pub to_seq: i32,
    #[sea_orm(belongs_to, from = "participant_id", to = "id")]
    pub participant: BelongsTo<super::participant::Entity>,
    #[sea_orm(belongs_to, from = "thread_id", to = "id")]
    pub root: BelongsTo<super::message::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
