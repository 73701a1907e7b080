//! Table `message`: messages and notices, as trees of replies.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, MessageId, UserId};

/// Whether a user or the server wrote a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageKind {
    /// Written by a user.
    #[default]
    User,
    /// Written by the server, to record an event.
    Notice,
}

/// The priority that the sender gave a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessagePriority {
    /// The default.
    #[default]
    Normal,
    /// Highlighted.
    Important,
    /// Highlighted, and notifies also the participants who limited notifications to mentions.
    Urgent,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    pub conversation_id: ConversationId,
    pub seq: i32,
    pub sender_id: Option<UserId>,
    pub parent_id: Option<MessageId>,
    pub root_id: Option<MessageId>,
    pub depth: i32,
    /// The position in tree order.
    pub path: Vec<u8>,
    /// Of a reply below the level to which tree order nests: the sequence number of its ancestor at that level.
    pub branch_seq: Option<i32>,
    pub reply_count: i32,
    /// The number of descendants that are not deleted; of a message with `branch_seq`, only whether lists show it after
    /// its deletion: the number of its direct replies that are shown.
    pub descendant_count: i32,
    /// The number of root messages in the conversation up to and including this one: deleted ones count, notices do
    /// not.
    pub root_count: i32,
    /// The number of those that the same user sent.
    pub sender_root_count: Option<i32>,
    pub kind: MessageKind,
    pub priority: MessagePriority,
    pub body: Option<String>,
    pub notice: Option<String>,
    pub client_message_id: Option<String>,
    pub content_hash: Option<Vec<u8>>,
    /// What identifies an imported message in its archive.
    pub import_key: Option<String>,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    #[sea_orm(belongs_to, from = "conversation_id", to = "id")]
    pub conversation: BelongsTo<super::conversation::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Sender", from = "sender_id", to = "id")]
    pub sender: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(
        self_ref,
        relation_enum = "Parent",
        relation_reverse = "Replies",
        from = "parent_id",
        to = "id"
    )]
    pub parent: BelongsTo<Option<Entity>>,
    #[sea_orm(
        self_ref,
        relation_enum = "Root",
        relation_reverse = "Descendants",
        from = "root_id",
        to = "id"
    )]
    pub root: BelongsTo<Option<Entity>>,
    #[sea_orm(has_one)]
    pub thread: HasOne<super::thread::Entity>,
    #[sea_orm(has_many)]
    pub revisions: HasMany<super::message_revision::Entity>,
    #[sea_orm(has_many)]
    pub mentions: HasMany<super::mention::Entity>,
    #[sea_orm(has_many)]
    pub followers: HasMany<super::thread_follow::Entity>,
    #[sea_orm(has_many)]
    pub follow_spans: HasMany<super::thread_follow_span::Entity>,
    #[sea_orm(has_many)]
    pub notifications: HasMany<super::notification::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Returns the id of the root message of this message's tree: its own id if it is the root.
    #[must_use]
    pub fn thread_root(&self) -> MessageId {
        self.root_id.unwrap_or(self.id)
    }

    /// Whether the message is shown. A deleted message is shown as a marker while it has replies.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.deleted_at.is_none() || self.descendant_count > 0
    }
}
