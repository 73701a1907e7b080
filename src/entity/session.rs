//! Table `session`: the sign-ins of each user.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{SessionId, UserId};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum SessionEndReason {
    /// The user signed out, on this device or from another one.
    #[sea_orm(string_value = "SIGNED_OUT")]
    SignedOut,
    /// The session was not renewed in time.
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
    /// The session was ended for security reasons or by an administrator.
    #[sea_orm(string_value = "REVOKED")]
    Revoked,
    /// The account was deleted.
    #[sea_orm(string_value = "ACCOUNT_DELETED")]
    AccountDeleted,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub user_id: UserId,
    pub label: String,
    pub ip_address: Option<String>,
    pub refresh_generation: i32,
    pub refreshed_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: Option<SessionEndReason>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
