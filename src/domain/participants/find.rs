//! Finds users to add, and participants of a conversation.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{IDS_PER_SELECT, check_limit};
use crate::{
    core::Core,
    db::Tx,
    domain::{access::InConversation, sessions::Viewer, users},
    entity::{participant, user},
    error::{Error, MAX_PROBLEMS, Problem},
    id::{ConversationId, UserId},
};

/// Loads the viewer and the users with these ids, each once, ordered by id. If the viewer cannot see some of them, the
/// error has a problem of `input.<field>` for each. Too many ids, and too many that no user can have, are refused
/// before anything is read.
pub async fn load_users(
    core: &Core,
    viewer: &Viewer,
    field: &str,
    ids: &[UserId],
) -> Result<Vec<user::Model>, Error> {
    let mut all = ids.to_vec();
    all.push(viewer.user);
    all.sort_unstable();
    all.dedup();
    check_limit(core, all.len())?;
    let impossible = unknown(field, ids, |id| !id.0.is_nil());
    if impossible.len() > MAX_PROBLEMS {
        return Err(Error::problems(impossible));
    }
    let mut found: HashMap<UserId, user::Model> = HashMap::with_capacity(all.len());
    for some in all.chunks(IDS_PER_SELECT) {
        let query = users::visible(viewer).filter(user::Column::Id.is_in(some.iter().copied()));
        let rows = query.all(core.db.read()).await?;
        found.extend(rows.into_iter().map(|user| (user.id, user)));
    }
    Error::check(unknown(field, ids, |id| found.contains_key(id)))?;
    let mut users: Vec<_> = found.into_values().collect();
    users.sort_unstable_by_key(|user| user.id);
    Ok(users)
}

/// Returns a problem for each id that is not known, up to the first that is too many.
fn unknown(field: &str, ids: &[UserId], is_known: impl Fn(&UserId) -> bool) -> Vec<Problem> {
    let unknown = ids.iter().enumerate().filter(|(_, id)| !is_known(id));
    let problems = unknown.map(|(index, _)| Problem {
        path: vec!["input".to_owned(), field.to_owned(), index.to_string()],
        code: "NOT_FOUND",
        message: "No user has this id.".to_owned(),
    });
    problems.take(MAX_PROBLEMS + 1).collect()
}

/// Returns the ids of all participants of a conversation.
pub async fn ids_in(tx: &Tx, conversation: ConversationId) -> Result<Vec<UserId>, Error> {
    let ids = participant::Entity::find()
        .select_only()
        .column(participant::Column::UserId)
        .filter(participant::Column::ConversationId.eq(conversation))
        .into_tuple();
    Ok(ids.all(tx).await?)
}

/// Loads another participant of the conversation.
pub(in crate::domain) async fn other_in(
    tx: &Tx,
    membership: &InConversation,
    user: UserId,
) -> Result<participant::Model, Error> {
    let found = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(membership.conversation().id))
        .filter(participant::Column::UserId.eq(user))
        .one(tx)
        .await?;
    found.ok_or_else(|| Error::not_found("participant"))
}
