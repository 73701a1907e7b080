//! Table `invitation`: links with which people register.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use super::user::ServerRole;
use crate::id::{InvitationId, UserId};

/// The state of an invitation. It follows from the times of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationStatus {
    /// Can be used.
    Pending,
    /// Was used.
    Accepted,
    /// Was revoked.
    Revoked,
    /// Expired before it was used.
    Expired,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationId,
    /// The SHA-256 hash of the token, which is not stored.
    pub token_hash: Vec<u8>,
    /// The address of the person; without one, anyone may use the link.
    pub email: Option<String>,
    pub email_key: Option<String>,
    /// The role of the account that it creates.
    pub role: ServerRole,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub accepted_by: Option<UserId>,
    /// The administrator; none for the command line.
    pub created_by: Option<UserId>,
    #[sea_orm(
        belongs_to,
        relation_enum = "CreatedBy",
        from = "created_by",
        to = "id"
    )]
    pub creator: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(
        belongs_to,
        relation_enum = "AcceptedBy",
        from = "accepted_by",
        to = "id"
    )]
    pub user: BelongsTo<Option<super::user::Entity>>,
}

impl Model {
    /// The state at this time.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> InvitationStatus {
        if self.accepted_at.is_some() {
            InvitationStatus::Accepted
        } else if self.revoked_at.is_some() {
            InvitationStatus::Revoked
        } else if self.expires_at < now {
            InvitationStatus::Expired
        } else {
            InvitationStatus::Pending
        }
    }
}

impl ActiveModelBehavior for ActiveModel {}
