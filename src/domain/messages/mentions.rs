//! The mentions of a message, stored as rows so that they can be counted.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};

use crate::{
    db::{self, Tx, ValuesCte},
    domain::{predicates, text},
    entity::{mention, message},
    error::Error,
    id::{MessageId, UserId},
};

/// Pairs in one INSERT: two values each, and SQLite binds at most 32,766.
const ROWS_PER_INSERT: usize = 1024;

/// Stores the mentions in the texts of these messages: participants other than the sender who see the message and have no
/// block with the sender. Returns the messages with names in their texts.
pub(super) async fn write_in(
    tx: &Tx,
    messages: impl IntoIterator<Item = &message::Model>,
) -> Result<Vec<MessageId>, Error> {
    let mut pairs: Vec<[Value; 2]> = vec![];
    let mut mentioning = vec![];
    for message in messages {
        let names = text::mentions(message.body.as_deref().unwrap_or_default());
        if !names.is_empty() {
            mentioning.push(message.id);
        }
        pairs.extend(
            names
                .into_iter()
                .map(|name| [message.id.into(), name.into()]),
        );
    }
    for some in pairs.chunks(ROWS_PER_INSERT) {
        // SQL for its values CTE: the statement resolves the names and stores the mentions together.
        let table = ValuesCte::new("v (message_id, name)", some.iter().cloned());
        let text = format!(
            "WITH {} INSERT INTO mention (message_id, user_id, conversation_id, seq)
             SELECT m.id, p.user_id, m.conversation_id, m.seq
             FROM v
             CROSS JOIN message m
             CROSS JOIN \"user\" u
             CROSS JOIN participant p
             WHERE m.id = v.message_id AND u.username_key = v.name AND u.id <> m.sender_id
                 AND p.conversation_id = m.conversation_id AND p.user_id = u.id
                 AND {} AND u.id NOT IN {}",
            table.text,
            predicates::visible_to("m", "p"),
            predicates::blocked_with("m.sender_id")
        );
        db::execute(tx, &text, table.values).await?;
    }
    Ok(mentioning)
}

/// Returns the users that a message mentions.
pub(super) async fn users_in(tx: &Tx, message: &message::Model) -> Result<BTreeSet<UserId>, Error> {
    let rows = mention::Entity::find()
        .filter(mention::Column::MessageId.eq(message.id))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.user_id).collect())
}

/// Deletes the mentions of a message, and returns the users that it mentioned.
pub(super) async fn clear_in(tx: &Tx, message: &message::Model) -> Result<BTreeSet<UserId>, Error> {
    let rows = mention::Entity::delete_many()
        .filter(mention::Column::MessageId.eq(message.id))
        .exec_with_returning(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.user_id).collect())
}
