//! Table `authenticator`: the authenticator app of each user who has one.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::UserId;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authenticator")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The encrypted secret, which the app has too. None until its first code is confirmed.
    pub secret: Option<Vec<u8>>,
    /// The time step of the last code that was used. No earlier one is accepted, so that each code works once.
    pub last_step: i64,
    /// The encrypted secret of an app that is being set up.
    pub pending_secret: Option<Vec<u8>>,
    /// When the setup expires.
    pub pending_until: Option<DateTime<Utc>>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
