//! Inserts the rows of participants, and counts them.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter};

use super::{IDS_PER_SELECT, order};
use crate::{
    core::Core,
    db::Tx,
    entity::{
        conversation,
        participant::{self, ParticipantRole},
        user,
    },
    error::{Code, Error},
    id::{ConversationId, ParticipantId, UserId},
};

/// Rows in one INSERT: eighteen values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1000;

/// Fails if a conversation may not have this many participants.
pub fn check_limit(core: &Core, participants: usize) -> Result<(), Error> {
    let max = core.config.participants_per_conversation;
    if participants <= max {
        return Ok(());
    }
    Err(Error::new(
        Code::LimitReached,
        format!("A conversation can have at most {max} participants. Add fewer users."),
    ))
}

/// The values of the rows of new participants.
#[derive(Clone, Copy, Debug)]
pub struct NewMembership {
    /// Their role.
    pub role: ParticipantRole,
    /// The user who added them; none if they created or opened the conversation.
    pub added_by: Option<UserId>,
    /// When they join.
    pub at: DateTime<Utc>,
    /// The sequence number of the first message that they see.
    pub visible_from_seq: i32,
    /// Messages up to this sequence number count as read. They do not notify.
    pub read_floor_seq: i32,
}

impl NewMembership {
    /// Returns the values for participants who join when the conversation is created.
    #[must_use]
    pub fn at_creation(role: ParticipantRole, added_by: Option<UserId>, at: DateTime<Utc>) -> Self {
        Self {
            role,
            added_by,
            at,
            visible_from_seq: 0,
            read_floor_seq: 0,
        }
    }
}

/// Inserts the rows of new participants, with one statement for each thousand, and counts them.
pub async fn insert_in(
    tx: &Tx,
    conversation: ConversationId,
    users: &[user::Model],
    membership: impl Fn(&user::Model) -> NewMembership,
) -> Result<(), Error> {
    let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
    let names = order::lock_names_in(tx, &ids).await?;
    // A user deleted their account after it was loaded.
    let deleted = || Error::not_found("user");
    let mut rows = Vec::with_capacity(users.len());
    for user in users {
        let NewMembership {
            role,
            added_by,
            at,
            visible_from_seq,
            read_floor_seq,
        } = membership(user);
        let name = names.get(&user.id).ok_or_else(deleted)?;
        rows.push(participant::Model {
            id: ParticipantId::mint(),
            conversation_id: conversation,
            user_id: user.id,
            role,
            added_by,
            joined_at: at,
            visible_from_seq,
            read_floor_seq,
            notified_from_seq: read_floor_seq + 1,
            settings_from_seq: read_floor_seq + 1,
            notification_level: user.notification_level,
            sort_key: order::sort_key(role, name, user.id),
            ..Default::default()
        });
    }
    insert_rows_in(tx, conversation, rows).await
}

/// Inserts rows of participants of one conversation, and counts them.
pub(in crate::domain) async fn insert_rows_in(
    tx: &Tx,
    conversation: ConversationId,
    rows: Vec<participant::Model>,
) -> Result<(), Error> {
    let step = i32::try_from(rows.len()).map_err(Error::internal)?;
    for some in rows.chunks(ROWS_PER_INSERT) {
        let some = some.iter().cloned().map(IntoActiveModel::into_active_model);
        participant::Entity::insert_many(some)
            .exec_without_returning(tx)
            .await?;
    }
    count_in(tx, &[conversation], step).await
}

/// Adds to the numbers of participants that these conversations store.
pub(in crate::domain) async fn count_in(
    tx: &Tx,
    conversations: &[ConversationId],
    step: i32,
) -> Result<(), Error> {
    let count = conversation::Column::ParticipantCount;
    for some in conversations.chunks(IDS_PER_SELECT) {
        conversation::Entity::update_many()
            .col_expr(count, count.into_expr().add(step))
            .filter(conversation::Column::Id.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}
