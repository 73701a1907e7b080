//! Table `user`: accounts, with their profiles, settings and credentials.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use super::participant::NotificationLevel;
use crate::id::UserId;

/// A role on the whole server, from the least to the most rights.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServerRole {
    /// Has no rights beyond its own account.
    #[default]
    Member,
    /// May suspend accounts of members.
    Moderator,
    /// May read the audit log.
    Auditor,
    /// May read the audit log and manage accounts.
    Admin,
}

/// Which users see a part of a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[sea_orm(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Visibility {
    /// Every signed-in user.
    Everyone,
    /// Users who share a conversation with the owner.
    Contacts,
    /// Only the owner.
    #[default]
    Nobody,
}

#[sea_orm::model]
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub username: String,
    pub username_key: String,
    pub email: Option<String>,
    pub email_key: Option<String>,
    /// The address that replaces `email` once it is verified.
    pub pending_email: Option<String>,
    pub pending_email_key: Option<String>,
    pub display_name: String,
    pub display_name_key: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone_number: Option<String>,
    pub bio: Option<String>,
    pub password_hash: Option<String>,
    pub failed_sign_ins: i32,
    pub sign_in_blocked_until: Option<DateTime<Utc>>,
    pub role: ServerRole,
    pub verified_at: Option<DateTime<Utc>>,
    pub last_active_at: Option<DateTime<Utc>>,
    /// When an administrator or a moderator suspended the account. A suspended user cannot sign in.
    pub suspended_at: Option<DateTime<Utc>>,
    pub suspension_reason: Option<String>,
    pub locale: String,
    pub time_zone: String,
    pub notification_level: NotificationLevel,
    pub is_searchable: bool,
    pub shares_read_receipts: bool,
    pub profile_visibility: Visibility,
    pub phone_visibility: Visibility,
    pub event_seq: i64,
    /// The address or the name of the author of an archive for whom an import created this user, normalised.
    pub import_key: Option<String>,
    pub created_at: DateTime<Utc>,
    /// When what others may see of the profile last changed.
    pub updated_at: DateTime<Utc>,
    #[sea_orm(has_many)]
    pub sessions: HasMany<super::session::Entity>,
    #[sea_orm(has_many)]
    pub identities: HasMany<super::identity::Entity>,
    #[sea_orm(has_many)]
    pub email_tokens: HasMany<super::email_token::Entity>,
    #[sea_orm(has_many, relation_enum = "Invitations", via_rel = "AcceptedBy")]
    pub invitations: HasMany<super::invitation::Entity>,
    #[sea_orm(has_many, relation_enum = "Participants", via_rel = "User")]
    pub participants: HasMany<super::participant::Entity>,
    #[sea_orm(has_many, via_rel = "Sender")]
    pub messages: HasMany<super::message::Entity>,
    #[sea_orm(has_many, relation_enum = "Notifications", via_rel = "User")]
    pub notifications: HasMany<super::notification::Entity>,
    #[sea_orm(has_many)]
    pub mentions: HasMany<super::mention::Entity>,
    #[sea_orm(has_many, via_rel = "Editor")]
    pub revisions: HasMany<super::message_revision::Entity>,
    #[sea_orm(has_many)]
    pub follows: HasMany<super::thread_follow::Entity>,
    #[sea_orm(has_many)]
    pub read_marks: HasMany<super::read_mark::Entity>,
    #[sea_orm(has_many)]
    pub read_exceptions: HasMany<super::read_exception::Entity>,
    #[sea_orm(has_many)]
    pub connected: HasMany<super::connected::Entity>,
    #[sea_orm(has_many)]
    pub typing: HasMany<super::typing::Entity>,
    #[sea_orm(has_one)]
    pub presence: HasOne<super::presence::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
