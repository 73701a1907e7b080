//! Participants: who takes part in a conversation, and as what.

mod add;
mod queries;
mod remove;
mod role;

pub use add::{Added, add};
pub use queries::{Listed, Names, ParticipantCounts, Place, heads, names, pages};
pub(in crate::domain) use remove::end_in;
pub use remove::{Removed, remove};
pub use role::change_role;
pub(in crate::domain) use role::set_role_in;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select, Set, SqlErr,
};

use crate::{
    core::Core,
    db::{Db, Tx},
    domain::{access::InConversation, sessions::Viewer, users},
    entity::{
        participant::{self, ParticipantRole},
        user,
    },
    error::{Code, Error, Problem},
    id::{ConversationId, ParticipantId, UserId},
};

/// Rows in one INSERT: twelve values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1000;
/// Ids in one question.
const IDS_PER_SELECT: usize = 5000;

/// Who takes part in the conversations that this viewer takes part in.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<participant::Entity> {
    let own = own(viewer)
        .select_only()
        .column(participant::Column::ConversationId)
        .into_query();
    participant::Entity::find().filter(participant::Column::ConversationId.in_subquery(own))
}

/// The viewer's own places, wherever they take part.
#[must_use]
pub fn own(viewer: &Viewer) -> Select<participant::Entity> {
    participant::Entity::find().filter(participant::Column::UserId.eq(viewer.user))
}

/// The viewer and the people with these ids, each once, ordered by id. Ids that the viewer cannot
/// know are problems of `input.<field>`, all told at once.
pub async fn people(
    db: &Db,
    viewer: &Viewer,
    field: &str,
    ids: &[UserId],
) -> Result<Vec<user::Model>, Error> {
    let mut wanted = ids.to_vec();
    wanted.push(viewer.user);
    wanted.sort_unstable();
    wanted.dedup();
    let mut found: HashMap<UserId, user::Model> = HashMap::with_capacity(wanted.len());
    for some in wanted.chunks(IDS_PER_SELECT) {
        let query = users::visible(viewer).filter(user::Column::Id.is_in(some.iter().copied()));
        let rows = query.all(db.read()).await?;
        found.extend(rows.into_iter().map(|user| (user.id, user)));
    }
    let unknown = ids.iter().enumerate();
    let unknown = unknown.filter(|(_, id)| !found.contains_key(id));
    let problems = unknown.map(|(index, _)| Problem {
        path: vec!["input".to_owned(), field.to_owned(), index.to_string()],
        code: "NOT_FOUND",
        message: "There is no such person.".to_owned(),
    });
    Error::check(problems.collect())?;
    let mut people: Vec<_> = found.into_values().collect();
    people.sort_unstable_by_key(|user| user.id);
    Ok(people)
}

/// Passes when one conversation may have this many people.
pub fn check_room(core: &Core, people: usize) -> Result<(), Error> {
    let most = core.config.participants_per_conversation;
    if people <= most {
        return Ok(());
    }
    Err(Error::new(
        Code::LimitReached,
        format!("A conversation has at most {most} people."),
    ))
}

/// How people join.
#[derive(Clone, Copy, Debug)]
pub struct Joining {
    /// What they may do.
    pub role: ParticipantRole,
    /// Who added them; none for those who were there from the start by themselves.
    pub added_by: Option<UserId>,
    /// When.
    pub at: DateTime<Utc>,
    /// The first message they see.
    pub visible_from_seq: i32,
    /// Everything up to here counts as read.
    pub read_floor_seq: i32,
}

impl Joining {
    /// Together with the conversation itself.
    #[must_use]
    pub fn at_the_start(
        role: ParticipantRole,
        added_by: Option<UserId>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            role,
            added_by,
            at,
            visible_from_seq: 0,
            read_floor_seq: 0,
        }
    }
}

/// Writes the rows of people who join, in a few statements however many they are.
pub async fn insert_in(
    tx: &Tx,
    conversation: ConversationId,
    people: &[user::Model],
    joining: &Joining,
) -> Result<(), Error> {
    for some in people.chunks(ROWS_PER_INSERT) {
        let rows = some.iter().map(|user| participant::ActiveModel {
            id: Set(ParticipantId::mint()),
            conversation_id: Set(conversation),
            user_id: Set(user.id),
            role: Set(joining.role),
            added_by: Set(joining.added_by),
            joined_at: Set(joining.at),
            visible_from_seq: Set(joining.visible_from_seq),
            read_floor_seq: Set(joining.read_floor_seq),
            notification_level: Set(user.notification_level),
            muted_until: Set(None),
            is_pinned: Set(false),
            archived_seq: Set(None),
        });
        participant::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await
            .map_err(|error| match error.sql_err() {
                // They deleted their account between the question and this statement.
                Some(SqlErr::ForeignKeyConstraintViolation(_)) => Error::not_found("person"),
                _ => error.into(),
            })?;
    }
    Ok(())
}

/// Everybody who takes part in a conversation.
pub async fn ids_in(tx: &Tx, conversation: ConversationId) -> Result<Vec<UserId>, Error> {
    let ids = participant::Entity::find()
        .select_only()
        .column(participant::Column::UserId)
        .filter(participant::Column::ConversationId.eq(conversation))
        .into_tuple();
    Ok(ids.all(tx).await?)
}

/// Somebody else who takes part.
async fn other_in(
    tx: &Tx,
    place: &InConversation,
    user: UserId,
) -> Result<participant::Model, Error> {
    let found = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(place.conversation().id))
        .filter(participant::Column::UserId.eq(user))
        .one(tx)
        .await?;
    found.ok_or_else(|| Error::not_found("participant"))
}
