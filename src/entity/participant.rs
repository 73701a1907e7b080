//! Who takes part in which conversation.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, ParticipantId, UserId};

/// A role within one conversation, weakest first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ParticipantRole {
    /// May only read.
    #[default]
    #[sea_orm(string_value = "OBSERVER")]
    Observer,
    /// May read and send.
    #[sea_orm(string_value = "MEMBER")]
    Member,
    /// May also manage people below OWNER and delete messages.
    #[sea_orm(string_value = "MODERATOR")]
    Moderator,
    /// May do everything here.
    #[sea_orm(string_value = "OWNER")]
    Owner,
}

impl ParticipantRole {
    /// May send messages.
    #[must_use]
    pub fn may_send(self) -> bool {
        self >= Self::Member
    }
}

/// What to be notified about.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum NotificationLevel {
    /// Every message.
    #[default]
    #[sea_orm(string_value = "ALL")]
    All,
    /// Mentions, and replies in followed threads.
    #[sea_orm(string_value = "MENTIONS")]
    Mentions,
    /// Nothing.
    #[sea_orm(string_value = "NONE")]
    None,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "participant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ParticipantId,
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    pub role: ParticipantRole,
    pub added_by: Option<UserId>,
    pub joined_at: DateTime<Utc>,
    pub visible_from_seq: i32,
    pub read_floor_seq: i32,
    pub notification_level: NotificationLevel,
    pub muted_until: Option<DateTime<Utc>>,
    pub is_pinned: bool,
    /// The conversation's last number when it was archived: any later message ends that by itself.
    pub archived_seq: Option<i32>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
    #[sea_orm(belongs_to, relation_enum = "User", from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Adder", from = "added_by", to = "id")]
    pub adder: BelongsTo<Option<super::user::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether the person moved it out of their list and there was no news since.
    #[must_use]
    pub fn is_archived(&self, last_seq: i32) -> bool {
        self.archived_seq.is_some_and(|seq| seq >= last_seq)
    }
}
