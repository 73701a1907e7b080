//! Read state: the messages that each participant has read. Counts are derived from marks and never stored.
//!
//! A read scope is the timeline of a conversation or one thread. All messages up to a participant's floor are read, in
//! every scope; in each scope the messages up to its mark are read; above the mark, exceptions are read. Every change
//! first locks the participant's row.

mod announce;
pub mod count;
mod mark;
mod mark_unread;
pub mod position;
pub mod receipts;
mod scope;
pub mod unread;

pub use mark::{UpTo, mark_conversations, mark_messages, mark_thread};
pub use mark_unread::mark_unread_from;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    db::Tx,
    domain::notifications,
    entity::{read_exception, read_mark},
    error::Error,
    id::{ConversationId, UserId},
};

/// Users whose read state one statement deletes.
const PEOPLE_PER_STATEMENT: usize = 1000;

/// Deletes the read state and the notifications of users who have left a conversation.
pub async fn forget_in(
    tx: &Tx,
    conversation: ConversationId,
    people: &[UserId],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    for some in people.chunks(PEOPLE_PER_STATEMENT) {
        read_mark::Entity::delete_many()
            .filter(read_mark::Column::ConversationId.eq(conversation))
            .filter(read_mark::Column::UserId.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
        read_exception::Entity::delete_many()
            .filter(read_exception::Column::ConversationId.eq(conversation))
            .filter(read_exception::Column::UserId.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
        notifications::forget_conversation_in(tx, conversation, some, at).await?;
    }
    Ok(())
}
