//! Queries about the participants of many conversations, with one statement each. They are SQL, because they use window
//! functions and a row comparison, and check in the same statement that the viewer takes part.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde::{Deserialize, Serialize};

use crate::{
    db,
    domain::{
        pagination::{PageRequest, Slice},
        sessions::Viewer,
    },
    entity::participant::{self, ParticipantRole},
    error::Error,
    id::{ConversationId, UserId},
};

/// The maximum number of names in the title of a conversation without one.
const NAMES_MAX: i32 = 5;

/// The numbers of participants of a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParticipantCounts {
    /// All participants.
    pub people: i64,
    /// Owners.
    pub owners: i64,
}

/// Counts the participants of each of these conversations.
pub async fn counts<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, ParticipantCounts>, Error> {
    let text = format!(
        "SELECT p.conversation_id, count(*) AS people,
                count(CASE WHEN p.role = 'OWNER' THEN 1 END) AS owners
         FROM participant p WHERE {} GROUP BY p.conversation_id",
        within(conversations)
    );
    let rows: Vec<_> = db::fetch_tuples(db, &text, within_values(viewer, conversations)).await?;
    let counts = |(id, people, owners)| (id, ParticipantCounts { people, owners });
    Ok(rows.into_iter().map(counts).collect())
}

/// The names of participants that describe a conversation to the viewer.
#[derive(Clone, Debug, Default)]
pub struct ParticipantNames {
    /// The first names of the other participants; the viewer's own name if there are no others.
    pub first: Vec<String>,
    /// How many participants are not named.
    pub more: i64,
}

/// Returns the names that describe each of these conversations.
pub async fn names<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, ParticipantNames>, Error> {
    // The viewer sorts last, and is therefore named only if there are no others.
    let text = format!(
        r#"SELECT conversation_id, user_id, name, people FROM (
             SELECT p.conversation_id, p.user_id, u.display_name AS name,
                    count(*) OVER (PARTITION BY p.conversation_id) AS people,
                    row_number() OVER (PARTITION BY p.conversation_id ORDER BY
                      CASE WHEN p.user_id = ? THEN 1 ELSE 0 END,
                      u.display_name_key, p.user_id) AS position
             FROM participant p JOIN "user" u ON u.id = p.user_id WHERE {}) named
           WHERE position <= ? ORDER BY conversation_id, position"#,
        within(conversations)
    );
    let values = [Value::from(viewer.user)]
        .into_iter()
        .chain(within_values(viewer, conversations))
        .chain([Value::from(NAMES_MAX)])
        .collect::<Vec<_>>();
    let rows: Vec<(_, UserId, _, i64)> = db::fetch_tuples(db, &text, values).await?;
    let mut found: HashMap<ConversationId, ParticipantNames> =
        HashMap::with_capacity(conversations.len());
    for (conversation, user, name, people) in rows {
        let names = found.entry(conversation).or_default();
        if user == viewer.user && !names.first.is_empty() {
            continue;
        }
        names.first.push(name);
        let count = i64::try_from(names.first.len()).map_err(Error::internal)?;
        names.more = (people - 1 - count).max(0);
    }
    Ok(found)
}

/// The sort key of a participant in the list of a conversation: owners first, then by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ParticipantCursor(bool, String, UserId);

/// A participant of the list, with its sort key.
#[derive(Clone, Debug)]
pub struct ListedParticipant {
    /// The membership.
    pub participant: participant::Model,
    /// The sort key.
    pub cursor: ParticipantCursor,
}

/// Returns a page of the participants of each of these conversations, from the start.
pub async fn pages<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
    role: Option<ParticipantRole>,
    span: &PageRequest<ParticipantCursor>,
) -> Result<HashMap<ConversationId, Slice<ListedParticipant>>, Error> {
    const ORDER: &str =
        "CASE WHEN p.role = 'OWNER' THEN 0 ELSE 1 END, u.display_name_key, p.user_id";
    let mut values = within_values(viewer, conversations);
    let mut narrowed = within(conversations);
    if let Some(role) = role {
        narrowed.push_str(" AND p.role = ?");
        values.push(role.into());
    }
    if let Some(ParticipantCursor(is_owner, name, user)) = &span.after {
        narrowed.push_str(" AND (");
        narrowed.push_str(ORDER);
        narrowed.push_str(") > (?, ?, ?)");
        let rank = i32::from(!is_owner);
        values.extend([rank.into(), name.as_str().into(), (*user).into()]);
    }
    values.push(span.limit().into());
    let text = format!(
        r#"SELECT * FROM (
             SELECT p.*, u.display_name_key AS name,
                    row_number() OVER (PARTITION BY p.conversation_id ORDER BY {ORDER}) AS position
             FROM participant p JOIN "user" u ON u.id = p.user_id WHERE {narrowed}) listed
           WHERE position <= ? ORDER BY conversation_id, position"#
    );
    let listed = |Row { participant, name }| {
        let is_owner = participant.role == ParticipantRole::Owner;
        ListedParticipant {
            cursor: ParticipantCursor(is_owner, name, participant.user_id),
            participant,
        }
    };
    let rows = db::fetch_all(db, &text, values).await?.into_iter();
    Ok(span.parts(rows.map(listed).collect(), |row| {
        row.participant.conversation_id
    }))
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    participant: participant::Model,
    name: String,
}

/// Restricts `participant p` to those of these conversations in which the viewer takes part.
fn within(conversations: &[ConversationId]) -> String {
    format!(
        "p.conversation_id IN ({}) AND EXISTS (SELECT 1 FROM participant own
           WHERE own.conversation_id = p.conversation_id AND own.user_id = ?)",
        db::placeholders(conversations.len())
    )
}

fn within_values(viewer: &Viewer, conversations: &[ConversationId]) -> Vec<Value> {
    let ids = conversations.iter().map(|&id| Value::from(id));
    ids.chain([viewer.user.into()]).collect()
}
