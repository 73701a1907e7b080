//! Queries about the participants of many conversations, with one statement each, whose work does not depend on the number
//! of participants.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, ExprTrait, QueryFilter, QuerySelect, Value,
    sea_query::{Expr, Query},
};

use super::{order, own};
use crate::{
    db,
    domain::{
        pagination::{PageRequest, Slice, union_all},
        sessions::Viewer,
    },
    entity::participant::{self, ParticipantRole},
    error::Error,
    id::{ConversationId, UserId},
};

/// The maximum number of names in the title of a conversation without one.
const NAMES_MAX: usize = 5;

/// Returns those of these conversations of the viewer in which another participant is an owner.
pub async fn with_other_owner<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<Vec<ConversationId>, Error> {
    let other = || "other";
    let of_this = Expr::col((other(), participant::Column::ConversationId))
        .equals((participant::Entity, participant::Column::ConversationId));
    let owner = Query::select()
        .expr(Expr::val(1))
        .from_as(participant::Entity, other())
        .and_where(of_this)
        .and_where(Expr::col((other(), participant::Column::UserId)).ne(viewer.user))
        .and_where(Expr::col((other(), participant::Column::Role)).eq(ParticipantRole::Owner))
        .to_owned();
    let found = own(viewer)
        .select_only()
        .column(participant::Column::ConversationId)
        .filter(participant::Column::ConversationId.is_in(conversations.iter().copied()))
        .filter(Expr::exists(owner));
    Ok(found.into_tuple().all(db).await?)
}

/// The names of participants that describe a conversation to the viewer.
#[derive(Clone, Debug, Default)]
pub struct ParticipantNames {
    /// The first names of the other participants, in the order of their list; the viewer's own name if there are no
    /// others.
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
    // SQL for its join order, and for the subquery that finds the end of a part of each list. The viewer may be one of
    // those whom it contains.
    let text = format!(
        r#"SELECT p.conversation_id, p.user_id, u.display_name, c.participant_count
           FROM conversation c CROSS JOIN participant p CROSS JOIN "user" u
           WHERE c.id IN ({}) AND p.conversation_id = c.id AND u.id = p.user_id
               AND p.sort_key < COALESCE((SELECT o.sort_key FROM participant o
                   WHERE o.conversation_id = c.id ORDER BY o.sort_key LIMIT 1 OFFSET {}), '{}')
               AND EXISTS (SELECT 1 FROM participant own
                   WHERE own.conversation_id = c.id AND own.user_id = ?)
           ORDER BY p.conversation_id, p.sort_key"#,
        db::placeholders(conversations.len()),
        NAMES_MAX + 1,
        order::END,
    );
    let ids = conversations.iter().map(|&id| Value::from(id));
    let values: Vec<Value> = ids.chain([viewer.user.into()]).collect();
    let rows: Vec<(_, UserId, String, i32)> = db::fetch_tuples(db, &text, values).await?;
    let mut found: HashMap<ConversationId, ParticipantNames> =
        HashMap::with_capacity(conversations.len());
    for (conversation, user, name, people) in rows {
        let names = found.entry(conversation).or_default();
        let is_alone = people <= 1;
        if (user == viewer.user && !is_alone) || names.first.len() == NAMES_MAX {
            continue;
        }
        names.first.push(name);
        let listed = i64::try_from(names.first.len()).map_err(Error::internal)?;
        names.more = Ord::max(i64::from(people) - 1 - listed, 0);
    }
    Ok(found)
}

/// Returns a page of the participants of each of these conversations, in the order of their
/// [`sort_key`](participant::Model::sort_key).
pub async fn pages<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
    role: Option<ParticipantRole>,
    span: &PageRequest<String>,
) -> Result<HashMap<ConversationId, Slice<participant::Model>>, Error> {
    let select = |&conversation: &ConversationId| {
        let mut text = "SELECT p.* FROM participant p WHERE EXISTS (SELECT 1 FROM participant own
             WHERE own.conversation_id = ? AND own.user_id = ?)"
            .to_owned();
        let mut values: Vec<Value> = vec![conversation.into(), viewer.user.into()];
        if let Some(role) = role {
            text.push_str(" AND p.role = ?");
            values.push(role.into());
        }
        let list = ("p.conversation_id", conversation.into());
        let (rest, more) = span.sql(list, "p.sort_key", false);
        text.push_str(&rest);
        values.extend(more);
        (text, values)
    };
    let rows = union_all(db, conversations.iter().map(select).collect()).await?;
    Ok(span.parts(rows, |row: &participant::Model| row.conversation_id))
}
