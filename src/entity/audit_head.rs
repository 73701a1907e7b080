//! Table `audit_head`: where the audit log begins and ends. It has one row, whose lock orders the entries.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub one: i32,
    pub last_sequence: i64,
    pub last_hash: Vec<u8>,
    /// The last entry that was deleted because of its age.
    pub deleted_sequence: i64,
    pub deleted_hash: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
