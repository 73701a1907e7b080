//! Table `audit_entry`: recorded actions, in a chain of hashes. Triggers refuse to change it.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use serde::Serialize;

use crate::id::{AuditEntryId, UserId};

/// Whether a recorded action was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditOutcome {
    /// It was carried out.
    Succeeded,
    /// It was refused.
    Refused,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    /// The number of the entry. The log has no gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub id: AuditEntryId,
    pub occurred_at: DateTime<Utc>,
    pub action: String,
    pub outcome: AuditOutcome,
    /// The user who acted; none for the server itself. The user may no longer exist.
    pub actor_id: Option<UserId>,
    /// The id of the object in its text form. It may no longer exist.
    pub target_id: Option<String>,
    pub request_id: Option<String>,
    /// What is about persons, as JSON; none after one of them was erased.
    pub details: Option<String>,
    pub details_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
