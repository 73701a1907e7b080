//! The order of a conversation: one number for each message, taken under the conversation's lock.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use crate::{
    db::{self, Tx},
    error::Error,
    id::ConversationId,
};

/// Numbers taken for one message and the events about it.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// The message's place in its conversation.
    pub seq: i32,
    /// The event number before the first one taken, for [`crate::live::log::write`].
    pub event_before: i64,
}

/// Takes the next place in a conversation, and numbers for this many events on its stream. The row
/// stays locked until the commit, so places are gapless and in commit order.
pub async fn next_in(
    tx: &Tx,
    conversation: ConversationId,
    is_root: bool,
    events: u32,
    at: DateTime<Utc>,
) -> Result<Next, Error> {
    let root = if is_root {
        ", last_root_seq = last_seq + 1"
    } else {
        ""
    };
    let text = format!(
        "UPDATE conversation
         SET last_seq = last_seq + 1, event_seq = event_seq + ?, last_activity_at = ?{root}
         WHERE id = ? RETURNING last_seq, event_seq"
    );
    let values = [i64::from(events).into(), at.into(), conversation.into()];
    let statement = db::sql(tx.get_database_backend(), &text, values);
    let row = tx.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::not_found("conversation"))?;
    let last_event: i64 = row.try_get_by_index(1)?;
    Ok(Next {
        seq: row.try_get_by_index(0)?,
        event_before: last_event - i64::from(events),
    })
}
