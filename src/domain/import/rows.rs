//! Inserts users, groups and participants.

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, IntoActiveModel};

use super::ROWS;
use crate::{
    db::Tx,
    domain::users::key,
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        participant::{self, NotificationLevel, ParticipantRole},
        user::{self, ServerRole, Visibility},
    },
    error::Error,
    id::{ConversationId, ParticipantId, UserId},
};

/// A user to insert.
#[derive(Clone, Debug)]
pub struct ImportedUser {
    /// The id.
    pub id: UserId,
    /// The unique username.
    pub username: String,
    /// The name to show.
    pub display_name: String,
    /// The unique email address, if any.
    pub email: Option<String>,
    /// The hash of the password. Without one, the user cannot sign in.
    pub password_hash: Option<String>,
    /// When the account was created.
    pub at: DateTime<Utc>,
}

/// A group to insert.
#[derive(Clone, Debug)]
pub struct ImportedGroup {
    /// The id.
    pub id: ConversationId,
    /// The title.
    pub title: String,
    /// The topic.
    pub topic: Option<String>,
    /// When the group was created.
    pub at: DateTime<Utc>,
}

/// A participant of a group to insert.
#[derive(Clone, Copy, Debug)]
pub struct ImportedMember {
    /// The id of the row.
    pub id: ParticipantId,
    /// The user.
    pub user: UserId,
    /// The role.
    pub role: ParticipantRole,
    /// The sequence number up to which messages count as read.
    pub read_floor_seq: i32,
}

/// Inserts users. Fails if a username or an email address is taken.
pub async fn users_in(tx: &Tx, users: &[ImportedUser]) -> Result<(), Error> {
    for some in users.chunks(ROWS) {
        let rows = some.iter().map(|user| row(user).into_active_model());
        user::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn row(new: &ImportedUser) -> user::Model {
    user::Model {
        id: new.id,
        username: new.username.clone(),
        username_key: key(&new.username),
        email: new.email.clone(),
        email_key: new.email.as_deref().map(key),
        display_name: new.display_name.clone(),
        display_name_key: key(&new.display_name),
        first_name: None,
        last_name: None,
        phone_number: None,
        bio: None,
        password_hash: new.password_hash.clone(),
        failed_sign_ins: 0,
        sign_in_blocked_until: None,
        role: ServerRole::Member,
        verified_at: None,
        last_active_at: None,
        shares_read_receipts: true,
        locale: "en".to_owned(),
        time_zone: "UTC".to_owned(),
        notification_level: NotificationLevel::All,
        is_searchable: true,
        profile_visibility: Visibility::Everyone,
        phone_visibility: Visibility::Nobody,
        event_seq: 0,
        created_at: new.at,
        updated_at: new.at,
    }
}

/// Inserts a group without participants.
pub async fn group_in(tx: &Tx, group: &ImportedGroup) -> Result<(), Error> {
    let row = conversation::Model {
        id: group.id,
        kind: ConversationKind::Group,
        title: Some(group.title.clone()),
        title_key: Some(key(&group.title)),
        topic: group.topic.clone(),
        direct_key: None,
        history_visibility: HistoryVisibility::FromStart,
        created_by: None,
        last_seq: 0,
        last_root_seq: 0,
        root_count: 0,
        event_seq: 0,
        created_at: group.at,
        last_activity_at: group.at,
    };
    conversation::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Inserts participants of a group.
pub async fn members_in(
    tx: &Tx,
    group: ConversationId,
    members: &[ImportedMember],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    for some in members.chunks(ROWS) {
        let rows = some.iter().map(|member| {
            let row = participant::Model {
                id: member.id,
                conversation_id: group,
                user_id: member.user,
                role: member.role,
                added_by: None,
                joined_at: at,
                visible_from_seq: 0,
                read_floor_seq: member.read_floor_seq,
                notification_level: NotificationLevel::All,
                muted_until: None,
                is_pinned: false,
                archived_seq: None,
            };
            row.into_active_model()
        });
        participant::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}
