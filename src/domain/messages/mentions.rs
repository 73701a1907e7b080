//! The people a message mentions, kept as rows so that they can be counted.

use crate::{
    db::{self, Tx},
    domain::text,
    entity::message,
    error::Error,
};

/// Writes the mentions of a message's text: participants other than the sender who may see it.
pub(super) async fn write_in(tx: &Tx, message: &message::Model) -> Result<(), Error> {
    let names = text::mentions(message.body.as_deref().unwrap_or_default());
    if names.is_empty() {
        return Ok(());
    }
    let text = format!(
        "INSERT INTO mention (message_id, user_id, conversation_id, seq)
         SELECT m.id, p.user_id, m.conversation_id, m.seq
         FROM message m
         JOIN participant p ON p.conversation_id = m.conversation_id
             AND m.seq >= p.visible_from_seq
         JOIN \"user\" u ON u.id = p.user_id
         WHERE m.id = ? AND u.username_key IN ({}) AND u.id <> m.sender_id",
        db::marks(names.len())
    );
    let names = names.into_iter().map(Into::into);
    db::run(
        tx,
        &text,
        std::iter::once(message.id.into())
            .chain(names)
            .collect::<Vec<_>>(),
    )
    .await?;
    Ok(())
}

/// Forgets whom a message mentions.
pub(super) async fn clear_in(tx: &Tx, message: &message::Model) -> Result<(), Error> {
    db::run(
        tx,
        "DELETE FROM mention WHERE message_id = ?",
        [message.id.into()],
    )
    .await?;
    Ok(())
}
