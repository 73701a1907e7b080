//! Connects the people of archives with accounts. The address in a mail is not proof of identity, so an account has to
//! have verified it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Value,
};

use super::ROWS;
use crate::{
    db::{self, Tx, ValuesCte},
    domain::participants,
    entity::{mention, message, participant, thread_follow, user},
    error::Error,
    id::{ConversationId, MessageId, UserId},
};

/// Returns the accounts that have verified one of these addresses, by [`crate::domain::text::email_key`].
pub(super) async fn verified_in(
    tx: &Tx,
    keys: &[String],
) -> Result<HashMap<String, UserId>, Error> {
    let mut verified = HashMap::new();
    for some in keys.chunks(ROWS) {
        let found: Vec<(Option<String>, UserId)> = user::Entity::find()
            .select_only()
            .columns([user::Column::EmailKey, user::Column::Id])
            .filter(user::Column::EmailKey.is_in(some.iter().cloned()))
            .filter(user::Column::VerifiedAt.is_not_null())
            .into_tuple()
            .all(tx)
            .await?;
        verified.extend(found.into_iter().filter_map(|(key, id)| Some((key?, id))));
    }
    Ok(verified)
}

/// Gives an account what earlier imports stored for the person with its email address: the messages, the places in
/// conversations and the followed threads. The person is deleted. Returns the number of messages. Fails if the address is
/// not verified.
pub async fn claim_in(tx: &Tx, account: UserId, at: DateTime<Utc>) -> Result<u64, Error> {
    let claimant = user::Entity::find_by_id(account).one(tx).await?;
    let claimant = claimant.ok_or_else(|| Error::not_found("account"))?;
    let verified = claimant
        .email_key
        .filter(|_| claimant.verified_at.is_some());
    let key = verified.ok_or_else(|| Error::conflict("The email address is not verified."))?;
    let person = user::Entity::find()
        .filter(user::Column::ImportKey.eq(key))
        .one(tx)
        .await?;
    let Some(person) = person.filter(|person| person.id != account) else {
        return Ok(0);
    };
    // A statement about all messages of a person may exceed the usual timeout.
    tx.extend_timeout().await?;
    let conversations = conversations_in(tx, person.id).await?;
    let sent = message::Entity::update_many()
        .col_expr(message::Column::SenderId, Value::from(account).into())
        .filter(message::Column::SenderId.eq(person.id))
        .exec(tx)
        .await?;
    for conversation in conversations {
        recount_in(tx, account, conversation).await?;
    }
    participants::count_in(tx, &shared_in(tx, person.id, account).await?, -1).await?;
    move_rows_in(tx, person.id, account).await?;
    participants::renamed_in(tx, account, &claimant.display_name_key, at).await?;
    user::Entity::delete_by_id(person.id).exec(tx).await?;
    Ok(sent.rows_affected)
}

/// Locks and returns the conversations of a person, so that no message is sent there meanwhile.
async fn conversations_in(tx: &Tx, person: UserId) -> Result<Vec<ConversationId>, Error> {
    use crate::entity::conversation;

    let of_person = participant::Entity::find()
        .select_only()
        .column(participant::Column::ConversationId)
        .filter(participant::Column::UserId.eq(person))
        .into_query();
    let of_messages = message::Entity::find()
        .select_only()
        .column(message::Column::ConversationId)
        .filter(message::Column::SenderId.eq(person))
        .into_query();
    let of_person = Condition::any()
        .add(conversation::Column::Id.in_subquery(of_person))
        .add(conversation::Column::Id.in_subquery(of_messages));
    let locked = conversation::Entity::find()
        .filter(of_person)
        .order_by_asc(conversation::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?;
    Ok(locked
        .into_iter()
        .map(|conversation| conversation.id)
        .collect())
}

/// The conversations in which both take part: the person leaves them.
async fn shared_in(tx: &Tx, person: UserId, account: UserId) -> Result<Vec<ConversationId>, Error> {
    let of = |user: UserId| {
        participant::Entity::find()
            .select_only()
            .column(participant::Column::ConversationId)
            .filter(participant::Column::UserId.eq(user))
    };
    let own = of(account).into_query();
    let shared = of(person).filter(participant::Column::ConversationId.in_subquery(own));
    Ok(shared.into_tuple().all(tx).await?)
}

/// Counts the root messages of a sender in a conversation again.
async fn recount_in(tx: &Tx, sender: UserId, conversation: ConversationId) -> Result<(), Error> {
    let sent: Vec<(MessageId, Option<MessageId>, Option<i32>)> = message::Entity::find()
        .select_only()
        .columns([
            message::Column::Id,
            message::Column::RootId,
            message::Column::SenderRootCount,
        ])
        .filter(message::Column::ConversationId.eq(conversation))
        .filter(message::Column::SenderId.eq(sender))
        .order_by_asc(message::Column::Seq)
        .into_tuple()
        .all(tx)
        .await?;
    let mut roots = 0;
    let mut wrong: Vec<[Value; 2]> = Vec::new();
    for (id, root, stored) in sent {
        roots += i32::from(root.is_none());
        if stored != Some(roots) {
            wrong.push([id.into(), roots.into()]);
        }
    }
    for some in wrong.chunks(ROWS) {
        let table = ValuesCte::new("counted (id, roots)", some.iter().cloned());
        // SQL, because each row gets another number.
        let text = format!(
            "WITH {} UPDATE message SET sender_root_count = counted.roots
             FROM counted WHERE message.id = counted.id",
            table.text
        );
        db::execute(tx, &text, table.values).await?;
    }
    Ok(())
}

/// Moves the rows that a user has once per object, except where the account has one already.
async fn move_rows_in(tx: &Tx, person: UserId, account: UserId) -> Result<(), Error> {
    let users = (person, account);
    move_table_in::<participant::Entity>(
        tx,
        participant::Column::UserId,
        participant::Column::ConversationId,
        users,
    )
    .await?;
    move_table_in::<thread_follow::Entity>(
        tx,
        thread_follow::Column::UserId,
        thread_follow::Column::ThreadId,
        users,
    )
    .await?;
    move_table_in::<mention::Entity>(
        tx,
        mention::Column::UserId,
        mention::Column::MessageId,
        users,
    )
    .await
}

async fn move_table_in<E: EntityTrait>(
    tx: &Tx,
    user: E::Column,
    object: E::Column,
    (from, to): (UserId, UserId),
) -> Result<(), Error> {
    let existing = E::find().select_only().column(object).filter(user.eq(to));
    E::update_many()
        .col_expr(user, Value::from(to).into())
        .filter(user.eq(from))
        .filter(object.not_in_subquery(existing.into_query()))
        .exec(tx)
        .await?;
    Ok(())
}
