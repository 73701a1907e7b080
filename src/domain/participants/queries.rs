//! What lists of conversations ask about their people: for many conversations in one statement each.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use serde::{Deserialize, Serialize};

use crate::{
    db,
    domain::sessions::Viewer,
    entity::participant::{self, ParticipantRole},
    error::Error,
    id::{ConversationId, UserId},
};

/// Most names that stand for an unnamed conversation.
const NAMES_MAX: i32 = 5;

/// How many people take part in a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParticipantCounts {
    /// All of them.
    pub people: i64,
    /// Those who own it.
    pub owners: i64,
}

#[derive(FromQueryResult)]
struct HeadsRow {
    conversation_id: ConversationId,
    people: i64,
    owners: i64,
}

/// How many people take part in each of these conversations.
pub async fn heads<C: ConnectionTrait>(
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
    let rows: Vec<HeadsRow> =
        db::fetch_all(db, &text, within_values(viewer, conversations)).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let HeadsRow { people, owners, .. } = row;
            (row.conversation_id, ParticipantCounts { people, owners })
        })
        .collect())
}

/// The people of a conversation by name, as the viewer should see them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The first few of the others; the viewer's own when they are alone.
    pub first: Vec<String>,
    /// How many more there are.
    pub more: i64,
}

#[derive(FromQueryResult)]
struct NameRow {
    conversation_id: ConversationId,
    user_id: UserId,
    name: String,
    people: i64,
}

/// The names that stand for each of these conversations.
pub async fn names<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, Names>, Error> {
    // The viewer comes last, so that they are left out unless they are alone.
    let text = format!(
        r#"SELECT conversation_id, user_id, name, people FROM (
             SELECT p.conversation_id, p.user_id, u.display_name AS name,
                    count(*) OVER (PARTITION BY p.conversation_id) AS people,
                    row_number() OVER (PARTITION BY p.conversation_id ORDER BY
                      CASE WHEN p.user_id = ? THEN 1 ELSE 0 END,
                      lower(u.display_name), p.user_id) AS place
             FROM participant p JOIN "user" u ON u.id = p.user_id WHERE {}) named
           WHERE place <= ? ORDER BY conversation_id, place"#,
        within(conversations)
    );
    let values = [Value::from(viewer.user)]
        .into_iter()
        .chain(within_values(viewer, conversations))
        .chain([Value::from(NAMES_MAX)])
        .collect::<Vec<_>>();
    let rows: Vec<NameRow> = db::fetch_all(db, &text, values).await?;
    let mut found: HashMap<ConversationId, Names> = HashMap::with_capacity(conversations.len());
    for row in rows {
        let names = found.entry(row.conversation_id).or_default();
        if row.user_id == viewer.user && !names.first.is_empty() {
            continue;
        }
        names.first.push(row.name);
        let shown = i64::try_from(names.first.len()).map_err(Error::internal)?;
        names.more = (row.people - 1 - shown).max(0);
    }
    Ok(found)
}

/// Where a participant stands in the list of their conversation: owners first, then by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place(bool, String, UserId);

/// A row of the list, with where it stands.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The membership.
    pub participant: participant::Model,
    /// Where it stands.
    pub place: Place,
}

/// Up to `limit` participants of each of these conversations, from after a place.
pub async fn pages<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
    role: Option<ParticipantRole>,
    after: Option<&Place>,
    limit: u64,
) -> Result<HashMap<ConversationId, Vec<Listed>>, Error> {
    const ORDER: &str =
        "CASE WHEN p.role = 'OWNER' THEN 0 ELSE 1 END, lower(u.display_name), p.user_id";
    let mut values = within_values(viewer, conversations);
    let mut narrowed = within(conversations);
    if let Some(role) = role {
        narrowed.push_str(" AND p.role = ?");
        values.push(role.into());
    }
    if let Some(Place(is_owner, name, user)) = after {
        narrowed.push_str(" AND (");
        narrowed.push_str(ORDER);
        narrowed.push_str(") > (?, lower(?), ?)");
        let rank = i32::from(!is_owner);
        values.extend([rank.into(), name.as_str().into(), (*user).into()]);
    }
    values.push(i64::try_from(limit).map_err(Error::internal)?.into());
    let text = format!(
        r#"SELECT * FROM (
             SELECT p.*, u.display_name AS name,
                    row_number() OVER (PARTITION BY p.conversation_id ORDER BY {ORDER}) AS place
             FROM participant p JOIN "user" u ON u.id = p.user_id WHERE {narrowed}) listed
           WHERE place <= ? ORDER BY conversation_id, place"#
    );
    let mut found: HashMap<ConversationId, Vec<Listed>> = HashMap::new();
    for Row { participant, name } in db::fetch_all(db, &text, values).await? {
        let is_owner = participant.role == ParticipantRole::Owner;
        let place = Place(is_owner, name, participant.user_id);
        let page = found.entry(participant.conversation_id).or_default();
        page.push(Listed { participant, place });
    }
    Ok(found)
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    participant: participant::Model,
    name: String,
}

/// Narrows `participant p` to these conversations, as far as the viewer takes part in them.
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
