//! Read state: how far each person has read. Counts are derived from marks, never stored.
//!
//! Everything up to a participant's floor is read, in every lane; in each lane everything up to its
//! mark; and above the marks what exceptions name. Every change first locks the participant's row.

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

/// People whose state one statement forgets.
const PEOPLE_PER_STATEMENT: usize = 1000;

/// These people left a conversation: nothing is kept of what they read there.
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
