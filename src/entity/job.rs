//! Table `job`: the queue of background work.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::JobId;

/// The state of a background job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Waits until it is due.
    Queued,
    /// Claimed by a worker.
    Running,
    /// Finished.
    Succeeded,
    /// Failed at its last attempt.
    Failed,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    pub kind: String,
    pub payload: String,
    pub status: JobStatus,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub run_at: DateTime<Utc>,
    pub leased_until: Option<DateTime<Utc>>,
}

impl ActiveModelBehavior for ActiveModel {}
