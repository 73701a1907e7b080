//! Table `presence`: the status that a user has set, and whether others see it.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::UserId;

/// Whether a user is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PresenceStatus {
    /// Active now.
    Online,
    /// Connected but idle.
    Away,
    /// Does not want to be disturbed.
    Busy,
    /// Not connected, or not shared.
    Offline,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "presence")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub is_shared: bool,
    pub status: Option<PresenceStatus>,
    pub status_text: Option<String>,
    /// When `status` and `status_text` expire; none if they do not.
    #[sea_orm(column_name = "lapses_at")]
    pub expires_at: Option<DateTime<Utc>>,
    pub changed_at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
