//! Table `email_token`: tokens in mails.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::UserId;

/// What a token permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EmailTokenPurpose {
    /// Verifies the address.
    VerifyEmail,
    /// Sets a new password.
    ResetPassword,
    /// Sets the first password of an account that an administrator has created.
    SetUpAccount,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "email_token")]
pub struct Model {
    /// The SHA-256 hash of the token, which is not stored.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    pub user_id: UserId,
    pub purpose: EmailTokenPurpose,
    /// The address to which the token was sent, normalised.
    pub email_key: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
