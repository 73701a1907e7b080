//! Table `event`: the event log. Each row is one event of a stream, written by the transaction that makes the change.
//!
//! On PostgreSQL the table also has the column `tx`, the id of that transaction. Only `live` reads it, in SQL.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    /// The id of the conversation or of the user that the event belongs to.
    pub stream_id: Uuid,
    /// The number of the event in its stream.
    pub seq: i64,
    pub kind: String,
    pub payload: String,
    pub created_at: DateTime<Utc>,
}

impl ActiveModelBehavior for ActiveModel {}
