//! Table `sign_in_attempt`: failed sign-ins by login, whether an account has the login or not.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_attempt")]
pub struct Model {
    /// A keyed hash of the login, which does not reveal it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub login: Vec<u8>,
    pub failed_sign_ins: i32,
    pub sign_in_blocked_until: Option<DateTime<Utc>>,
    pub tried_at: DateTime<Utc>,
}

impl ActiveModelBehavior for ActiveModel {}
