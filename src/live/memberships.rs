//! Loads the conversations of users, in statements of bounded size, and who shares one with whom.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::log_reader::Log;
use crate::{
    db,
    entity::participant,
    error::Error,
    id::{ConversationId, UserId},
};

/// Users in one statement.
const USERS: usize = 500;
/// Memberships in the result of one statement. Small in the simulation, so that it needs several statements.
const PAGE: usize = if cfg!(test) { 3 } else { 5000 };
/// Precedes every id.
const FIRST: ConversationId = ConversationId(Uuid::nil());

/// The memberships of these users, which are sorted. Sorted by user and conversation.
pub(super) async fn of(
    log: &dyn Log,
    users: &[UserId],
) -> Result<Vec<(UserId, ConversationId)>, Error> {
    let mut found = vec![];
    let mut parts: Vec<_> = users.chunks(USERS).map(|users| (users, FIRST)).collect();
    parts.reverse();
    while let Some((users, after)) = parts.pop() {
        let rows = log.memberships(users, after, PAGE).await?;
        if let (true, Some(&(user, last))) = (rows.len() >= PAGE, rows.last()) {
            // The page is full: it may end within the conversations of this user.
            let (done, later) = users.split_at(users.partition_point(|other| *other <= user));
            let (_, current) = done.split_at(done.len().saturating_sub(1));
            if !later.is_empty() {
                parts.push((later, FIRST));
            }
            parts.push((current, last));
        }
        found.extend(rows);
    }
    Ok(found)
}

/// Those of the other users who share a conversation with this user.
pub async fn contacts_among(
    db: &db::Reader,
    user: UserId,
    others: &[UserId],
) -> Result<HashSet<UserId>, Error> {
    let own = participant::Entity::find()
        .select_only()
        .column(participant::Column::ConversationId)
        .filter(participant::Column::UserId.eq(user));
    let found: Vec<UserId> = participant::Entity::find()
        .select_only()
        .column(participant::Column::UserId)
        .distinct()
        .filter(participant::Column::UserId.is_in(others.iter().copied()))
        .filter(participant::Column::ConversationId.in_subquery(own.into_query()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().collect())
}
