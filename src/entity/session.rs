//! Table `session`: the sign-ins of each user.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, SessionId, UserId};

/// Why a session ended. The event log stores it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionEndReason {
    /// The user signed out, on this device or from another one.
    SignedOut,
    /// The session was not renewed in time.
    Expired,
    /// The session was ended for security reasons or by an administrator.
    Revoked,
    /// The account was deleted.
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
    /// When the user last confirmed their identity in this session.
    pub reauthenticated_at: Option<DateTime<Utc>>,
    /// Whose tokens belong to the session. None if the tokens are this server's own.
    pub identity_id: Option<IdentityId>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    #[sea_orm(belongs_to, from = "identity_id", to = "id")]
    pub identity: BelongsTo<Option<super::identity::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
