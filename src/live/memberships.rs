//! Loads the conversations of users, in statements of bounded size.

use uuid::Uuid;

use super::log_reader::Log;
use crate::{
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
