//! Table `conversation`: direct conversations and groups, with the counters that number their messages.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{ConversationId, UserId};

/// The kind of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConversationKind {
    /// Has fixed participants and no title.
    #[default]
    Direct,
    /// Has a title, and participants with roles who join and leave.
    Group,
}

/// Which earlier messages a new participant sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HistoryVisibility {
    /// All messages.
    FromStart,
    /// Only messages sent after they joined.
    #[default]
    FromJoining,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub title: Option<String>,
    pub title_key: Option<String>,
    pub topic: Option<String>,
    pub direct_key: Option<String>,
    pub history_visibility: HistoryVisibility,
    pub created_by: Option<UserId>,
    pub last_seq: i32,
    pub last_root_seq: i32,
    /// The number of root messages ever sent, without notices.
    pub root_count: i32,
    pub participant_count: i32,
    pub event_seq: i64,
    pub created_at: DateTime<Utc>,
    pub last_activity_at: DateTime<Utc>,
    #[sea_orm(belongs_to, relation_enum = "Creator", from = "created_by", to = "id")]
    pub creator: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(has_many)]
    pub participants: HasMany<super::participant::Entity>,
    #[sea_orm(has_many)]
    pub messages: HasMany<super::message::Entity>,
    #[sea_orm(has_many)]
    pub threads: HasMany<super::thread::Entity>,
    #[sea_orm(has_many)]
    pub notifications: HasMany<super::notification::Entity>,
}

impl Model {
    /// The other user of a direct conversation of two users, of which this user is one. The key has the ids of both.
    #[must_use]
    pub fn other_user(&self, user: UserId) -> Option<UserId> {
        let (one, other) = self.direct_key.as_deref()?.split_once('+')?;
        let id = |text| Uuid::try_parse(text).ok().map(UserId);
        let (one, other) = (id(one)?, id(other)?);
        [one, other].into_iter().find(|&id| id != user)
    }
}

impl ActiveModelBehavior for ActiveModel {}
