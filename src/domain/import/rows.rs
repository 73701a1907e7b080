//! Inserts users, groups and participants.

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, IntoActiveModel, QuerySelect};

use super::ROWS;
use crate::{
    db::Tx,
    domain::{
        participants,
        users::{NewUser, key},
    },
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        participant::{self, ParticipantRole},
        user,
    },
    error::Error,
    id::{ConversationId, ParticipantId, UserId},
};

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
pub async fn users_in(tx: &Tx, users: &[NewUser]) -> Result<(), Error> {
    for some in users.chunks(ROWS) {
        let rows = some.iter().map(|user| user.row().into_active_model());
        user::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Inserts the people of an archive, with their keys.
pub(super) async fn people_in(tx: &Tx, people: &[(NewUser, String)]) -> Result<(), Error> {
    for some in people.chunks(ROWS) {
        let rows = some.iter().map(|(person, key)| {
            let row = user::Model {
                import_key: Some(key.clone()),
                ..person.row()
            };
            row.into_active_model()
        });
        user::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Inserts a group without participants.
pub async fn group_in(tx: &Tx, group: &ImportedGroup) -> Result<(), Error> {
    let row = conversation::Model {
        id: group.id,
        kind: ConversationKind::Group,
        title: Some(group.title.clone()),
        title_key: Some(key(&group.title)),
        topic: group.topic.clone(),
        history_visibility: HistoryVisibility::FromStart,
        created_at: group.at,
        last_activity_at: group.at,
        ..Default::default()
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
    let last: Option<i32> = conversation::Entity::find_by_id(group)
        .select_only()
        .column(conversation::Column::LastSeq)
        .into_tuple()
        .one(tx)
        .await?;
    // Messages of an import notify no users.
    let next = last.ok_or_else(|| Error::not_found("conversation"))? + 1;
    let ids: Vec<UserId> = members.iter().map(|member| member.user).collect();
    let names = participants::lock_names_in(tx, &ids).await?;
    let row = |member: &ImportedMember| {
        let name = names.get(&member.user);
        let name = name.ok_or_else(|| Error::not_found("user"))?;
        Ok(participant::Model {
            id: member.id,
            conversation_id: group,
            user_id: member.user,
            role: member.role,
            joined_at: at,
            read_floor_seq: member.read_floor_seq,
            notified_from_seq: next,
            settings_from_seq: next,
            sort_key: participants::sort_key(member.role, name, member.user),
            ..Default::default()
        })
    };
    let rows = members.iter().map(row).collect::<Result<_, Error>>()?;
    participants::insert_rows_in(tx, group, rows).await
}
