//! The sequence numbers of a conversation: one per message, allocated under the conversation's lock.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, Value, sea_query::Expr};

use crate::{
    db::{self, Tx, ValuesCte},
    entity::conversation::{self, Column},
    error::Error,
    id::{ConversationId, UserId},
};

/// How far the clocks of two nodes may differ. Later times are not those of clocks: imported messages have any.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(1);

/// The numbers allocated for one message and its events.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    /// The message's sequence number.
    pub seq: i32,
    /// The number of root messages up to this one, without notices.
    pub root_count: i32,
    /// The number of those by its sender; none for a notice.
    pub sender_root_count: Option<i32>,
    /// The event number before the first allocated one, for [`crate::live::log::numbered`].
    pub event_before: i64,
}

/// Allocates the next sequence number and time of a conversation for a notice, and numbers for this many events of its stream.
/// The row stays locked until the commit, so sequence numbers are gapless and in commit order.
pub async fn next_for_notice_in(
    tx: &Tx,
    conversation: ConversationId,
    events: u32,
    now: DateTime<Utc>,
) -> Result<(Allocation, DateTime<Utc>), Error> {
    let next = || Column::LastSeq.into_expr().add(1);
    let last_event = Column::EventSeq.into_expr().add(i64::from(events));
    // As `next_time`.
    let is_ahead = Column::LastActivityAt
        .gt(now)
        .and(Column::LastActivityAt.lt(now + MAX_CLOCK_DIFFERENCE));
    let at = Expr::case(is_ahead, Column::LastActivityAt.into_expr()).finally(now);
    let rows = conversation::Entity::update_many()
        .col_expr(Column::LastSeq, next())
        .col_expr(Column::LastRootSeq, next())
        .col_expr(Column::EventSeq, last_event)
        .col_expr(Column::LastActivityAt, at.into())
        .filter(Column::Id.eq(conversation))
        .exec_with_returning(tx)
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::not_found("conversation"))?;
    let allocation = Allocation {
        seq: row.last_seq,
        root_count: row.root_count,
        sender_root_count: None,
        event_before: row.event_seq - i64::from(events),
    };
    Ok((allocation, row.last_activity_at))
}

/// Allocates sequence numbers of one conversation in memory; [`advance_in`] stores the last ones.
#[derive(Clone, Debug)]
pub struct SequenceAllocator {
    conversation: ConversationId,
    last: i32,
    last_root: i32,
    roots: i32,
    /// Root messages per sender.
    senders: HashMap<UserId, i32>,
    last_event: i64,
    last_at: DateTime<Utc>,
}

impl SequenceAllocator {
    /// Starts from the row of a conversation, which the transaction has locked.
    #[must_use]
    pub fn of(conversation: &conversation::Model) -> Self {
        Self {
            conversation: conversation.id,
            last: conversation.last_seq,
            last_root: conversation.last_root_seq,
            roots: conversation.root_count,
            senders: HashMap::new(),
            last_event: conversation.event_seq,
            last_at: conversation.last_activity_at,
        }
    }

    /// Allocates the next sequence number and time, and numbers for this many events. `sent` is the number of root
    /// messages that the sender had before this batch.
    pub fn next(
        &mut self,
        (sender, sent): (UserId, i32),
        is_root: bool,
        events: u32,
        now: DateTime<Utc>,
    ) -> (Allocation, DateTime<Utc>) {
        self.last += 1;
        self.last_at = next_time(self.last_at, now);
        let sent = self.senders.entry(sender).or_insert(sent);
        *sent += i32::from(is_root);
        let sender_root_count = Some(*sent);
        if is_root {
            self.last_root = self.last;
            self.roots += 1;
        }
        let event_before = self.last_event;
        self.last_event += i64::from(events);
        let allocation = Allocation {
            seq: self.last,
            root_count: self.roots,
            sender_root_count,
            event_before,
        };
        (allocation, self.last_at)
    }
}

/// The time of the next change of a conversation: the times of its messages are in the order of their sequence numbers, also
/// when the clocks of two nodes differ a little.
#[must_use]
pub fn next_time(last: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let is_ahead = last > now && last - now < MAX_CLOCK_DIFFERENCE;
    if is_ahead { last } else { now }
}

/// Stores the last allocated numbers of these conversations.
pub async fn advance_in(
    tx: &Tx,
    allocators: impl IntoIterator<Item = SequenceAllocator>,
) -> Result<(), Error> {
    // SQL for its values CTE: one UPDATE of many rows.
    let row = |allocator: SequenceAllocator| -> [Value; 6] {
        [
            allocator.conversation.into(),
            allocator.last.into(),
            allocator.last_root.into(),
            allocator.roots.into(),
            allocator.last_event.into(),
            allocator.last_at.into(),
        ]
    };
    let table = ValuesCte::new(
        "v (id, last, root, roots, event, at)",
        allocators.into_iter().map(row),
    );
    let text = format!(
        "WITH {} UPDATE conversation SET last_seq = v.last, last_root_seq = v.root, root_count = v.roots,
             event_seq = v.event, last_activity_at = v.at
         FROM v WHERE conversation.id = v.id",
        table.text
    );
    db::execute(tx, &text, table.values).await?;
    Ok(())
}
