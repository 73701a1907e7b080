//! The order of a conversation: one number for each message, taken under the conversation's lock.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, Value, sea_query::Expr};

use crate::{
    db::{self, Tx, ValuesCte},
    entity::conversation::{self, Column},
    error::Error,
    id::{ConversationId, UserId},
};

/// Numbers taken for one message and the events about it.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    /// The message's place in its conversation.
    pub seq: i32,
    /// How many root messages there are with it, without notices.
    pub root_count: i32,
    /// How many of them are its sender's; none when it is a notice.
    pub sender_root_count: Option<i32>,
    /// The event number before the first one taken, for [`crate::live::log::numbered`].
    pub event_before: i64,
}

/// Takes the next place in a conversation for a notice, and numbers for this many events on its stream. The row
/// stays locked until the commit, so places are gapless and in commit order.
pub async fn next_for_notice_in(
    tx: &Tx,
    conversation: ConversationId,
    events: u32,
    at: DateTime<Utc>,
) -> Result<Allocation, Error> {
    let next = || Column::LastSeq.into_expr().add(1);
    let last_event = Column::EventSeq.into_expr().add(i64::from(events));
    let rows = conversation::Entity::update_many()
        .col_expr(Column::LastSeq, next())
        .col_expr(Column::LastRootSeq, next())
        .col_expr(Column::EventSeq, last_event)
        .col_expr(Column::LastActivityAt, Expr::val(at))
        .filter(Column::Id.eq(conversation))
        .exec_with_returning(tx)
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::not_found("conversation"))?;
    Ok(Allocation {
        seq: row.last_seq,
        root_count: row.root_count,
        sender_root_count: None,
        event_before: row.event_seq - i64::from(events),
    })
}

/// How far a conversation has come: places are taken in it one after the other, and all of them written at once.
#[derive(Clone, Debug)]
pub struct SequenceAllocator {
    conversation: ConversationId,
    last: i32,
    last_root: i32,
    roots: i32,
    /// How many of them are whose, of those who took places.
    senders: HashMap<UserId, i32>,
    last_event: i64,
}

impl SequenceAllocator {
    /// Where the conversation stands, whose row this transaction has locked.
    #[must_use]
    pub fn of(conversation: &conversation::Model) -> Self {
        Self {
            conversation: conversation.id,
            last: conversation.last_seq,
            last_root: conversation.last_root_seq,
            roots: conversation.root_count,
            senders: HashMap::new(),
            last_event: conversation.event_seq,
        }
    }

    /// The next place, for this person, who had sent so many root messages before all of this, and numbers for this
    /// many events.
    pub fn next(
        &mut self,
        (sender, sent): (UserId, i32),
        is_root: bool,
        events: u32,
    ) -> Allocation {
        self.last += 1;
        let sent = self.senders.entry(sender).or_insert(sent);
        *sent += i32::from(is_root);
        let sender_root_count = Some(*sent);
        if is_root {
            self.last_root = self.last;
            self.roots += 1;
        }
        let event_before = self.last_event;
        self.last_event += i64::from(events);
        Allocation {
            seq: self.last,
            root_count: self.roots,
            sender_root_count,
            event_before,
        }
    }
}

/// Writes down how far these conversations have come.
pub async fn advance_in(
    tx: &Tx,
    lines: impl IntoIterator<Item = SequenceAllocator>,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let row = |line: SequenceAllocator| -> [Value; 5] {
        [
            line.conversation.into(),
            line.last.into(),
            line.last_root.into(),
            line.roots.into(),
            line.last_event.into(),
        ]
    };
    let table = ValuesCte::new(
        "v (id, last, root, roots, event)",
        lines.into_iter().map(row),
    );
    let text = format!(
        "WITH {} UPDATE conversation SET last_seq = v.last, last_root_seq = v.root, root_count = v.roots,
             event_seq = v.event, last_activity_at = ?
         FROM v WHERE conversation.id = v.id",
        table.text
    );
    db::execute(tx, &text, table.and([at.into()])).await?;
    Ok(())
}
