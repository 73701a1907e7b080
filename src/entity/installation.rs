//! Table `installation`: the identity that all nodes of one database share. It has one row.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub one: i32,
    pub id: Uuid,
    /// The fingerprint of the secret that the nodes sign tokens with.
    pub key_id: Option<String>,
    /// The epoch of the event log.
    pub epoch: i64,
    /// What identified the event log when its epoch began, on PostgreSQL.
    pub log_identity: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
