//! Read state: how far each person has read. Counts are derived from marks, never stored.
//!
//! Everything up to a participant's floor is read, in every lane; in each lane everything up to its
//! mark; and above the marks what exceptions name. Every change first locks the participant's row.

mod back;
mod lane;
mod mark;
pub mod position;
pub mod unread;

pub use back::mark_unread_from;
pub use mark::{UpTo, mark_conversations, mark_messages, mark_thread};

use lane::Lane;

use crate::{
    app::App,
    db::Tx,
    domain::sessions::Viewer,
    error::Error,
    id::{ConversationId, ThreadId},
    live::log::{self, Change, Stream},
};

/// Lanes whose positions one statement reads.
const LANES_PER_STATEMENT: usize = 500;

/// Tells the viewer's own devices where they now stand in these lanes.
async fn announce_in(tx: &Tx, app: &App, viewer: &Viewer, lanes: &[Lane]) -> Result<(), Error> {
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
            }
        }));
    }
    log::append(tx, Stream::User(viewer.user), app.clock.now(), &changes).await
}
