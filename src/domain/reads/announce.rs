//! The events of a changed read position.

use std::collections::BTreeSet;

use crate::{
    core::Core,
    db::Tx,
    domain::{
        notifications,
        reads::{position, receipts, scope::ReadScope},
        sessions::Viewer,
    },
    error::Error,
    id::{ConversationId, NotificationId, ThreadId},
    live::log::{self, Change, Stream},
};

/// Read scopes whose positions one statement reads.
const SCOPES_PER_STATEMENT: usize = 500;

/// Appends the viewer's new read positions in these scopes, for their own devices and for participants with whom they
/// share them, marks the stored notifications of messages that were read there as read, and announces the plain ones
/// that became read.
pub(super) async fn announce_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    scopes: &[ReadScope],
    plain_notifications: &[NotificationId],
) -> Result<(), Error> {
    if scopes.is_empty() {
        return Ok(());
    }
    let read: BTreeSet<ConversationId> = scopes.iter().map(|scope| scope.conversation).collect();
    let read: Vec<ConversationId> = read.into_iter().collect();
    let shared = receipts::shared_by(tx, viewer.user, &read).await?;
    let mut changes = Vec::with_capacity(scopes.len());
    for some in scopes.chunks(SCOPES_PER_STATEMENT) {
        let timelines = some.iter().filter(|scope| scope.thread.is_none());
        let timelines: Vec<ConversationId> = timelines.map(|scope| scope.conversation).collect();
        let threads: Vec<ThreadId> = some.iter().filter_map(|scope| scope.thread).collect();
        let in_timelines = position::in_conversations(tx, viewer, &timelines).await?;
        let in_threads = position::in_threads(tx, viewer, &threads).await?;
        changes.extend(some.iter().map(|scope| {
            let position = match scope.thread {
                Some(thread) => in_threads.get(&thread),
                None => in_timelines.get(&scope.conversation),
            };
            Change::ReadPositionChanged {
                conversation: scope.conversation,
                thread: scope.thread,
                user: viewer.user,
                up_to: position.and_then(|position| position.last_read),
                is_shared: shared.contains(&scope.conversation),
            }
        }));
    }
    changes.extend(notifications::read_in(tx, core, viewer, &read).await?);
    changes.extend(notifications::changes(plain_notifications));
    log::append(tx, Stream::User(viewer.user), core.clock.now(), &changes).await
}
