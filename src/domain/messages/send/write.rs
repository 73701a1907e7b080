//! Writes a batch of accepted messages with everything that depends on them, as if they were sent one after the other.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{DateTime, Utc};
use sea_orm::{IdenStatic, Iterable, ModelTrait};

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{
        access::LockWait,
        messages::{
            mentions, path, reply_counts,
            send::check::{AcceptedSend, Admission, check_sends},
            send::types::{SendRequest, Sent},
            sequence::{self, Allocation, SequenceAllocator},
            thread_state,
        },
        notifications,
    },
    entity::message,
    error::Error,
    id::{ConversationId, MessageId, ThreadId},
    live::log::{self, Change, Stream},
};

/// The result of a send; none when it must be retried because its conversation is locked.
pub(super) type Outcome = Option<Result<Sent, Error>>;

/// Checks these requests and sends the accepted ones, in this order.
pub(super) async fn send_in(
    tx: &Tx,
    core: &Core,
    requests: &[SendRequest],
    lock: LockWait,
) -> Result<Vec<Outcome>, Error> {
    let admissions = check_sends(tx, core, requests, lock).await?;
    let at = core.clock.now();
    let (mut allocators, mut drafts, mut outcomes) = (BTreeMap::new(), vec![], vec![]);
    for (request, admission) in requests.iter().zip(admissions) {
        outcomes.push(match admission {
            Admission::Accepted(accepted) => {
                let max_depth = core.config.thread_depth;
                let draft = Draft::new(request, *accepted, &mut allocators, (at, max_depth));
                let message = draft.message.clone();
                drafts.push(draft);
                let was_duplicate = false;
                Some(Ok(Sent {
                    message,
                    was_duplicate,
                }))
            }
            Admission::Duplicate(sent) => Some(Ok(*sent)),
            Admission::Rejected(error) => Some(Err(error)),
            Admission::Locked => None,
        });
    }
    if !drafts.is_empty() {
        sequence::advance_in(tx, allocators.into_values()).await?;
        write_in(tx, &drafts, at).await?;
    }
    Ok(outcomes)
}

/// A message with its sequence number, not yet written.
struct Draft {
    message: message::Model,
    parent: Option<message::Model>,
    has_blocks: bool,
    event_before: i64,
}

impl Draft {
    /// Builds the message, with the next sequence number of its conversation.
    fn new(
        request: &SendRequest,
        accepted: AcceptedSend,
        allocators: &mut BTreeMap<ConversationId, SequenceAllocator>,
        (now, max_depth): (DateTime<Utc>, i32),
    ) -> Self {
        let AcceptedSend {
            membership,
            sent,
            has_blocks,
            parent,
        } = accepted;
        let (conversation, new) = (membership.conversation(), &request.new);
        let allocator = allocators
            .entry(conversation.id)
            .or_insert_with(|| SequenceAllocator::of(conversation));
        let events = 2 + u32::from(parent.is_some());
        let from = (request.viewer.user, sent);
        let (allocation, created_at) = allocator.next(from, parent.is_none(), events, now);
        let Allocation {
            seq,
            root_count,
            sender_root_count,
            event_before,
        } = allocation;
        let above = parent.as_ref();
        let (path, branch_seq) = above.map_or_else(
            || (path::path(&[], seq), None),
            |parent| path::reply((&parent.path, parent.branch_seq), seq, max_depth),
        );
        let message = message::Model {
            id: MessageId::mint(),
            conversation_id: conversation.id,
            seq,
            sender_id: Some(request.viewer.user),
            parent_id: above.map(|parent| parent.id),
            root_id: above.map(message::Model::thread_root),
            depth: above.map_or(0, |parent| parent.depth + 1),
            path,
            branch_seq,
            root_count,
            sender_root_count,
            priority: new.priority,
            body: Some(new.body.clone()),
            client_message_id: new.client_message_id.clone(),
            content_hash: new.client_message_id.as_ref().map(|_| new.content_hash()),
            created_at,
            ..Default::default()
        };
        Self {
            message,
            parent,
            has_blocks,
            event_before,
        }
    }
}

async fn write_in(tx: &Tx, drafts: &[Draft], at: DateTime<Utc>) -> Result<(), Error> {
    insert_in(tx, drafts).await?;
    let replies = drafts.iter();
    let replies: Vec<_> = replies
        .filter_map(|draft| Some((&draft.message, draft.parent.as_ref()?)))
        .collect();
    reply_counts::add_in(tx, replies.iter().map(|&(_, parent)| parent), 1).await?;
    thread_state::replied_in(tx, &replies).await?;
    let mentioning = mentions::write_in(tx, drafts.iter().map(|draft| &draft.message)).await?;
    let by_blocked = drafts.iter().filter(|draft| draft.has_blocks);
    let by_blocked: Vec<_> = by_blocked.map(|draft| &draft.message).collect();
    notifications::plain::silence_blocked_in(tx, &by_blocked).await?;
    let mut notified = notifications::messages_sent_in(tx, &mentioning, at).await?;
    let events = drafts.iter().flat_map(|draft| {
        let id = draft.message.id;
        let thread = ThreadId::from(draft.message.thread_root());
        let added = Change::NotificationsAdded {
            to: notified.remove(&id).unwrap_or_default(),
            message: Some(id),
        };
        let grown = draft
            .parent
            .is_some()
            .then_some(Change::ThreadChanged { thread });
        let changes = [
            Some(Change::MessageSent { message: id }),
            grown,
            Some(added),
        ];
        let stream = Stream::Conversation(draft.message.conversation_id);
        log::numbered(stream, draft.event_before, changes.into_iter().flatten())
    });
    log::write(tx, at, &events.collect::<Vec<_>>()).await
}

/// The names of all columns.
static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<_> = message::Column::iter()
        .map(|column| column.as_str())
        .collect();
    names.join(", ")
});

async fn insert_in(tx: &Tx, drafts: &[Draft]) -> Result<(), Error> {
    // SQL for its values CTE: its plan does not depend on the number of rows.
    let table = ValuesCte::new(
        &format!("v ({})", *COLUMNS),
        drafts.iter().map(|draft| {
            let values = message::Column::iter().map(|column| draft.message.get(column));
            values.collect::<Vec<_>>()
        }),
    );
    let text = format!(
        "WITH {} INSERT INTO message ({columns}) SELECT {columns} FROM v WHERE id IS NOT NULL",
        table.text,
        columns = *COLUMNS
    );
    db::execute(tx, &text, table.values).await?;
    Ok(())
}
