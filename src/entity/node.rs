//! Table `node`: the running server processes, each with a lease that it renews.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub expires_at: DateTime<Utc>,
    #[sea_orm(has_many)]
    pub connected: HasMany<super::connected::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
