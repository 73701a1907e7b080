//! Table `identity`: the users of other systems whose access tokens are accepted.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::id::{IdentityId, UserId};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identity")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IdentityId,
    /// The claim `iss` of its tokens.
    pub issuer: String,
    /// What identifies it at the issuer.
    pub subject: String,
    /// None before the account is created and after it is deleted.
    pub user_id: Option<UserId>,
    /// The hash of what its last token stated about the user.
    pub profile_digest: Vec<u8>,
    /// When its account was deleted.
    pub released_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<Option<super::user::Entity>>,
    #[sea_orm(has_many)]
    pub sessions: HasMany<super::session::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
