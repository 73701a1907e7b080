//! Many rows at once: history that was made up or brought from elsewhere. It keeps every rule of the
//! tables but tells nobody: no events, no notifications. Messages that people send go through
//! `messages::send`.

pub mod archive;
mod history;

pub use history::{History, ImportedMessage, ImportedRef};

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::{
    db::Tx,
    domain::users,
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        participant::{self, NotificationLevel, ParticipantRole},
        user::{self, ServerRole, Visibility},
    },
    error::Error,
    id::{ConversationId, ParticipantId, UserId},
};

/// Rows in one statement: SQLite takes 32,766 values, and a row of the widest table has 25.
const ROWS: usize = 500;

/// Somebody to add.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Unique name.
    pub username: String,
    /// Name to show.
    pub display_name: String,
    /// Unique address, if any.
    pub email: Option<String>,
    /// Without one they cannot sign in.
    pub password_hash: Option<String>,
    /// Since when they are here.
    pub at: DateTime<Utc>,
}

/// A group to add.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub id: ConversationId,
    /// Its name.
    pub title: String,
    /// What it is about.
    pub topic: Option<String>,
    /// Since when it is there.
    pub at: DateTime<Utc>,
}

/// Somebody's place in a group.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The row's id.
    pub id: ParticipantId,
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: ParticipantRole,
    /// Up to where they have read.
    pub read_floor_seq: i32,
}

/// Adds people. Names and addresses that are taken fail.
pub async fn people_in(tx: &Tx, people: &[Person]) -> Result<(), Error> {
    for some in people.chunks(ROWS) {
        let rows = some
            .iter()
            .map(|person| account(person).into_active_model());
        user::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn account(person: &Person) -> user::Model {
    user::Model {
        id: person.id,
        username: person.username.clone(),
        username_key: users::key(&person.username),
        email: person.email.clone(),
        email_key: person.email.as_deref().map(users::key),
        display_name: person.display_name.clone(),
        display_name_key: users::key(&person.display_name),
        first_name: None,
        last_name: None,
        phone_number: None,
        bio: None,
        password_hash: person.password_hash.clone(),
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
        created_at: person.at,
        updated_at: person.at,
    }
}

/// Adds an empty group.
pub async fn group_in(tx: &Tx, group: &Group) -> Result<(), Error> {
    let row = conversation::Model {
        id: group.id,
        kind: ConversationKind::Group,
        title: Some(group.title.clone()),
        title_key: Some(users::key(&group.title)),
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

/// Adds people to a group.
pub async fn members_in(
    tx: &Tx,
    group: ConversationId,
    members: &[Member],
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
