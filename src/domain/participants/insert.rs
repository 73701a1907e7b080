//! Inserts the rows of new participants.

use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, IntoActiveModel, SqlErr};

use crate::{
    core::Core,
    db::Tx,
    entity::{
        participant::{self, ParticipantRole},
        user,
    },
    error::{Code, Error},
    id::{ConversationId, ParticipantId, UserId},
};

/// Rows in one INSERT: twelve values each, and SQLite binds at most 32,766.
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
    /// Messages up to this sequence number count as read.
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

/// Inserts the rows of new participants, with one statement for each thousand.
pub async fn insert_in(
    tx: &Tx,
    conversation: ConversationId,
    users: &[user::Model],
    &NewMembership {
        role,
        added_by,
        at,
        visible_from_seq,
        read_floor_seq,
    }: &NewMembership,
) -> Result<(), Error> {
    for some in users.chunks(ROWS_PER_INSERT) {
        let rows = some.iter().map(|user| participant::Model {
            id: ParticipantId::mint(),
            conversation_id: conversation,
            user_id: user.id,
            role,
            added_by,
            joined_at: at,
            visible_from_seq,
            read_floor_seq,
            notification_level: user.notification_level,
            ..Default::default()
        });
        participant::Entity::insert_many(rows.map(IntoActiveModel::into_active_model))
            .exec_without_returning(tx)
            .await
            .map_err(|error| match error.sql_err() {
                // A user deleted their account after it was loaded.
                Some(SqlErr::ForeignKeyConstraintViolation(_)) => Error::not_found("user"),
                _ => error.into(),
            })?;
    }
    Ok(())
}
