//! Table `block`: the users whom a user has blocked.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::UserId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "block")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub blocker_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub blocked_id: UserId,
    pub created_at: DateTime<Utc>,
    #[sea_orm(belongs_to, relation_enum = "Blocker", from = "blocker_id", to = "id")]
    pub blocker: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, relation_enum = "Blocked", from = "blocked_id", to = "id")]
    pub blocked: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
