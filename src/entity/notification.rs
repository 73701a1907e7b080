//! Table `notification`: the notifications of each user.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, MessageId, NotificationId, UserId};

/// The reason for a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotificationType {
    /// A message in a direct conversation, or in a group set to ALL.
    Message,
    /// A reply in a followed thread.
    Reply,
    /// A message that mentions the user.
    Mention,
    /// The user was added to a conversation.
    AddedToConversation,
    /// The role of the user changed.
    RoleChanged,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NotificationId,
    pub user_id: UserId,
    pub kind: NotificationType,
    /// The user who caused it. Null in the table if it is about a message, whose sender is the actor.
    pub actor_id: Option<UserId>,
    pub message_id: Option<MessageId>,
    pub conversation_id: Option<ConversationId>,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
    #[sea_orm(belongs_to, relation_enum = "User", from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Actor", from = "actor_id", to = "id")]
    pub actor: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(belongs_to, from = "message_id", to = "id")]
    pub message: BelongsTo<Option<super::message::Entity>>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<Option<super::conversation::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
