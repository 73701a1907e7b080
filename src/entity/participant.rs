//! Table `participant`: the memberships of users in conversations.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, ParticipantId, UserId};

/// A role in one conversation, from the least to the most rights.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ParticipantRole {
    /// May only read.
    #[default]
    Observer,
    /// May read and send.
    Member,
    /// May also manage participants below OWNER and delete messages.
    Moderator,
    /// May do everything in the conversation.
    Owner,
}

impl ParticipantRole {
    /// Whether the role may send messages.
    #[must_use]
    pub fn may_send(self) -> bool {
        self >= Self::Member
    }
}

/// Which messages notify a participant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotificationLevel {
    /// Every message.
    #[default]
    All,
    /// Mentions, and replies in followed threads.
    Mentions,
    /// None.
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
    /// The `last_seq` of the conversation when the user archived it. A later message ends the archiving.
    pub archived_seq: Option<i32>,
    /// The `last_seq` of the conversation when the user hid it. A later message ends the hiding.
    pub hidden_seq: Option<i32>,
    /// The place in the list of participants (`domain/participants/order`).
    pub sort_key: String,
    /// Earlier messages do not notify the user.
    pub notified_from_seq: i32,
    /// The notification level and the mute apply to messages from here on; spans describe the earlier ones.
    pub settings_from_seq: i32,
    /// Notifications of plain messages up to here are read.
    pub notifications_read_seq: i32,
    /// When the user last read messages in the conversation.
    pub read_at: Option<DateTime<Utc>>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
    #[sea_orm(belongs_to, relation_enum = "User", from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Adder", from = "added_by", to = "id")]
    pub adder: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(has_many)]
    pub notification_spans: HasMany<super::notification_span::Entity>,
    #[sea_orm(has_many)]
    pub notification_marks: HasMany<super::notification_mark::Entity>,
    #[sea_orm(has_many)]
    pub thread_follow_spans: HasMany<super::thread_follow_span::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Whether a conversation was archived or hidden at this sequence number and no message has arrived since.
#[must_use]
pub fn is_put_away(at_seq: Option<i32>, last_seq: i32) -> bool {
    at_seq.is_some_and(|seq| seq >= last_seq)
}
