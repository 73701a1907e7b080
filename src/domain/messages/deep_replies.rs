//! Deep replies: those below the level to which tree order nests. All deep replies below one message of that level, their
//! branch, follow it in order of time.
//!
//! A reply changes the counts of its ancestors up to its branch, whose number is limited. A deep reply would otherwise
//! change as many rows as it is deep. The descendants of deep replies are therefore counted when they are queried. What
//! is stored of a deep reply is what decides whether lists show it after its deletion: the number of its direct replies
//! that are shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};

use crate::{
    db::Tx,
    entity::message,
    error::Error,
    id::{ConversationId, MessageId},
};

/// Ids that one statement changes.
const ROWS_PER_UPDATE: usize = 2000;

/// The conversation and the sequence number of a branch.
pub type Branch = (ConversationId, i32);

/// The branch of a message; none unless the message is a deep reply.
#[must_use]
pub fn branch(message: &message::Model) -> Option<Branch> {
    Some((message.conversation_id, message.branch_seq?))
}

#[derive(FromQueryResult)]
struct DeepReply {
    id: MessageId,
    parent_id: Option<MessageId>,
    reply_count: i32,
    descendant_count: i32,
    deleted_at: Option<DateTime<Utc>>,
}

/// The counts of a deep reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DeepCounts {
    /// Direct replies that are not deleted.
    replies: i32,
    /// Direct replies that are shown.
    shown: i32,
    /// Descendants that are not deleted.
    descendants: i32,
}

/// The deep replies of these branches; those of one branch are in order.
async fn of_branches<C: ConnectionTrait>(
    db: &C,
    branches: &BTreeSet<Branch>,
) -> Result<Vec<DeepReply>, Error> {
    let of_one = |condition: Condition, &(conversation, seq): &Branch| {
        let of_one = message::Column::ConversationId.eq(conversation);
        condition.add(
            Condition::all()
                .add(of_one)
                .add(message::Column::BranchSeq.eq(seq)),
        )
    };
    let found = message::Entity::find()
        .select_only()
        .columns([
            message::Column::Id,
            message::Column::ParentId,
            message::Column::ReplyCount,
            message::Column::DescendantCount,
            message::Column::DeletedAt,
        ])
        .filter(branches.iter().fold(Condition::any(), of_one))
        .order_by_asc(message::Column::Seq)
        .into_model()
        .all(db)
        .await?;
    Ok(found)
}

/// Counts from the leaves upwards: a reply follows its parent.
fn counts(replies: &[DeepReply]) -> HashMap<MessageId, DeepCounts> {
    let mut counts: HashMap<MessageId, DeepCounts> = HashMap::new();
    for reply in replies.iter().rev() {
        let below = counts.get(&reply.id).copied().unwrap_or_default();
        let exists = i32::from(reply.deleted_at.is_none());
        let Some(parent) = reply.parent_id else {
            continue;
        };
        let above = counts.entry(parent).or_default();
        above.replies += exists;
        above.shown += i32::from(exists == 1 || below.descendants > 0);
        above.descendants += exists + below.descendants;
    }
    counts
}

/// The number of descendants, which are not deleted, of all deep replies of these branches that have any.
pub async fn descendants<C: ConnectionTrait>(
    db: &C,
    branches: &BTreeSet<Branch>,
) -> Result<HashMap<MessageId, i32>, Error> {
    if branches.is_empty() {
        return Ok(HashMap::new());
    }
    let found = counts(&of_branches(db, branches).await?).into_iter();
    Ok(found.map(|(id, of)| (id, of.descendants)).collect())
}

/// Whether deep replies follow this message.
pub async fn has_any<C: ConnectionTrait>(db: &C, message: &message::Model) -> Result<bool, Error> {
    let found: Option<MessageId> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::ConversationId.eq(message.conversation_id))
        .filter(message::Column::BranchSeq.eq(message.seq))
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// Corrects the stored counts of the deep replies of these branches, after some of them were inserted or deleted. Returns
/// the ids of markers that are hidden now, the deepest first.
pub async fn recount_in(tx: &Tx, branches: &BTreeSet<Branch>) -> Result<Vec<MessageId>, Error> {
    if branches.is_empty() {
        return Ok(vec![]);
    }
    let replies = of_branches(tx, branches).await?;
    let counts = counts(&replies);
    let mut changed: BTreeMap<(i32, i32), Vec<MessageId>> = BTreeMap::new();
    let mut hidden = vec![];
    for reply in replies.iter().rev() {
        let DeepCounts { replies, shown, .. } = counts.get(&reply.id).copied().unwrap_or_default();
        if (reply.reply_count, reply.descendant_count) != (replies, shown) {
            changed.entry((replies, shown)).or_default().push(reply.id);
        }
        if reply.deleted_at.is_some() && reply.descendant_count > 0 && shown == 0 {
            hidden.push(reply.id);
        }
    }
    for ((replies, shown), ids) in changed {
        for some in ids.chunks(ROWS_PER_UPDATE) {
            message::Entity::update_many()
                .col_expr(message::Column::ReplyCount, Expr::value(replies))
                .col_expr(message::Column::DescendantCount, Expr::value(shown))
                .filter(message::Column::Id.is_in(some.iter().copied()))
                .exec(tx)
                .await?;
        }
    }
    Ok(hidden)
}
