//! The list of the participants of a conversation: owners first, then by name. Each row stores its place as text, so that
//! an index returns a page of the list.
//!
//! The text contains a copy of the name. When the name changes, the transaction corrects the rows of a limited number of
//! conversations, and a job those of the others.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{BinOper, Expr, LockType},
};
use uuid::Uuid;

use super::IDS_PER_SELECT;
use crate::{
    core::Core,
    db::Tx,
    entity::{
        participant::{self, ParticipantRole},
        user,
    },
    error::Error,
    id::{ConversationId, UserId},
    jobs::{self, Job},
};

/// A key that follows all keys of a conversation.
pub(super) const END: &str = "2";
/// Precedes the id. Names contain no tab, and every character of a name follows it.
const SEPARATOR: char = '\t';
/// Characters of the name. PostgreSQL limits an entry of an index to 2,700 bytes.
const NAME_LENGTH: usize = 100;
/// Rows that one transaction corrects. Each is at another place of a large index, and other writers wait meanwhile.
const BATCH_SIZE: u64 = 10;

/// The key of a participant with this role. `name` is the form of the user's name that is compared.
#[must_use]
pub fn sort_key(role: ParticipantRole, name: &str, user: UserId) -> String {
    rank(role).to_owned() + &place(name, user)
}

/// The first character of the keys of this role.
fn rank(role: ParticipantRole) -> &'static str {
    match role {
        ParticipantRole::Owner => "0",
        _ => "1",
    }
}

/// The rest of the keys of this user.
fn place(name: &str, user: UserId) -> String {
    let mut place: String = name.chars().take(NAME_LENGTH).collect();
    place.push(SEPARATOR);
    place.push_str(&user.0.simple().to_string());
    place
}

/// The stored key after a change to this role, whose name another transaction may have changed.
pub(super) fn with_rank(role: ParticipantRole) -> Expr {
    Expr::cust(format!("'{}' || substr(sort_key, 2)", rank(role)))
}

/// Returns the names of those of these users who exist, in the form in which they are compared, and locks them until the
/// commit: a user who is renamed meanwhile would not be renamed in the rows that this transaction inserts.
pub(in crate::domain) async fn lock_names_in(
    tx: &Tx,
    users: &[UserId],
) -> Result<HashMap<UserId, String>, Error> {
    let mut ids = users.to_vec();
    ids.sort_unstable();
    let mut names = HashMap::with_capacity(ids.len());
    for some in ids.chunks(IDS_PER_SELECT) {
        // In the order in which events for users lock their rows.
        let mut select = user::Entity::find()
            .select_only()
            .columns([user::Column::Id, user::Column::DisplayNameKey])
            .filter(user::Column::Id.is_in(some.iter().copied()))
            .order_by_asc(user::Column::Id);
        if tx.get_database_backend() == DbBackend::Postgres {
            select = select.lock(LockType::NoKeyUpdate);
        }
        let rows: Vec<(UserId, String)> = select.into_tuple().all(tx).await?;
        names.extend(rows);
    }
    Ok(names)
}

/// Corrects the keys of a user whose name has changed in this transaction.
pub async fn renamed_in(tx: &Tx, user: UserId, name: &str, at: DateTime<Utc>) -> Result<(), Error> {
    if correct_some_in(tx, user, name, ConversationId(Uuid::nil()))
        .await?
        .is_some()
    {
        jobs::enqueue_in(tx, &Job::SortParticipant { user }, at).await?;
    }
    Ok(())
}

/// Corrects all keys of a user.
pub async fn correct(core: &Core, user: UserId) -> Result<(), Error> {
    let mut next = Some(ConversationId(Uuid::nil()));
    while let Some(after) = next {
        let correct_some = core.db.write(|tx| async move {
            let names = lock_names_in(&tx, &[user]).await?;
            match names.get(&user) {
                Some(name) => correct_some_in(&tx, user, name, after).await,
                None => Ok(None),
            }
        });
        next = correct_some.await?;
    }
    Ok(())
}

/// Corrects the keys in some conversations that follow this one. Returns the last of them, if more may follow.
async fn correct_some_in(
    tx: &Tx,
    user: UserId,
    name: &str,
    after: ConversationId,
) -> Result<Option<ConversationId>, Error> {
    let mut some = participant::Entity::find()
        .select_only()
        .column(participant::Column::ConversationId)
        .filter(participant::Column::UserId.eq(user))
        .filter(participant::Column::ConversationId.gt(after))
        .order_by_asc(participant::Column::ConversationId)
        .limit(BATCH_SIZE);
    // In the order of the transactions that mark messages as read.
    if tx.get_database_backend() == DbBackend::Postgres {
        some = some.lock(LockType::NoKeyUpdate);
    }
    let some: Vec<ConversationId> = some.into_tuple().all(tx).await?;
    let Some(&last) = some.last() else {
        return Ok(None);
    };
    let first = Expr::cust("substr(sort_key, 1, 1)");
    let key = first.binary(BinOper::Custom("||"), place(name, user));
    participant::Entity::update_many()
        .col_expr(participant::Column::SortKey, key)
        .filter(participant::Column::UserId.eq(user))
        .filter(participant::Column::ConversationId.gt(after))
        .filter(participant::Column::ConversationId.lte(last))
        .exec(tx)
        .await?;
    let is_full = u64::try_from(some.len()).map_err(Error::internal)? == BATCH_SIZE;
    Ok(is_full.then_some(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_come_first_and_then_names() {
        let [one, other] = [UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2))];
        let keys = [
            sort_key(ParticipantRole::Owner, "zoe", other),
            sort_key(ParticipantRole::Member, "ann", one),
            sort_key(ParticipantRole::Observer, "ann", other),
            sort_key(ParticipantRole::Moderator, "ann b", one),
            sort_key(ParticipantRole::Member, "anna", one),
            sort_key(ParticipantRole::Member, &"é".repeat(1000), one),
            END.to_owned(),
        ];
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(keys.iter().all(|key| key.len() < 300));
    }
}
