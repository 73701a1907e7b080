//! Read state: how far each person has read. Counts are derived from marks, never stored.
//!
//! Everything up to a participant's floor is read, in every lane; in each lane everything up to its
//! mark; and above the marks what exceptions name. Every change first locks the participant's row.

pub mod count;
mod mark;
mod mark_unread;
pub mod position;
pub mod receipts;
mod scope;
pub mod unread;

pub use mark::{UpTo, mark_conversations, mark_messages, mark_thread};
pub use mark_unread::mark_unread_from;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use scope::ReadScope;
use sea_orm::Value;

use crate::{
    core::Core,
    db::{self, Tx},
    domain::{notifications, sessions::Viewer},
    error::Error,
    id::{ConversationId, ThreadId, UserId},
    live::log::{self, Change, Stream},
};

/// Lanes whose positions one statement reads.
const LANES_PER_STATEMENT: usize = 500;
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
        for table in ["read_mark", "read_exception"] {
            let text = format!(
                "DELETE FROM {table} WHERE conversation_id = ? AND user_id IN ({})",
                db::placeholders(some.len())
            );
            let people = some.iter().map(|&user| Value::from(user));
            let values = std::iter::once(conversation.into()).chain(people);
            db::execute(tx, &text, values.collect::<Vec<_>>()).await?;
        }
        notifications::forget_conversation_in(tx, conversation, some, at).await?;
    }
    Ok(())
}

/// Tells the viewer's own devices, and the others where the viewer shares it, where they now stand in these lanes, and
/// that notifications of what was read there are done with.
async fn announce_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    lanes: &[ReadScope],
) -> Result<(), Error> {
    if lanes.is_empty() {
        return Ok(());
    }
    let read: BTreeSet<ConversationId> = lanes.iter().map(|lane| lane.conversation).collect();
    let read: Vec<ConversationId> = read.into_iter().collect();
    let shared = receipts::shared_by(tx, viewer.user, &read).await?;
    let mut changes = Vec::with_capacity(lanes.len());
    for some in lanes.chunks(LANES_PER_STATEMENT) {
        let timelines = some.iter().filter(|lane| lane.thread.is_none());
        let timelines: Vec<ConversationId> = timelines.map(|lane| lane.conversation).collect();
        let threads: Vec<ThreadId> = some.iter().filter_map(|lane| lane.thread).collect();
        let in_timelines = position::in_conversations(tx, viewer, &timelines).await?;
        let in_threads = position::in_threads(tx, viewer, &threads).await?;
        changes.extend(some.iter().map(|lane| {
            let position = match lane.thread {
                Some(thread) => in_threads.get(&thread),
                None => in_timelines.get(&lane.conversation),
            };
            Change::ReadPositionChanged {
                conversation: lane.conversation,
                thread: lane.thread,
                user: viewer.user,
                up_to: position.and_then(|position| position.last_read),
                is_shared: shared.contains(&lane.conversation),
            }
        }));
    }
    changes.extend(notifications::read_in(tx, core, viewer, &read).await?);
    log::append(tx, Stream::User(viewer.user), core.clock.now(), &changes).await
}
