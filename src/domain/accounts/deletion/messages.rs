//! Deletes or anonymises the messages of a deleted account, one group at a time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Value, sea_query::Expr,
};

use crate::{
    db::{self, Tx, ValuesCte},
    domain::{
        messages::{deep_replies, path},
        notifications,
    },
    entity::{
        mention,
        message::{self, MessageKind},
        message_revision,
    },
    error::Error,
    id::{ConversationId, MessageId, ThreadId, UserId},
    live::log::Change,
};

/// Counters that one statement changes: three values each, and SQLite binds at most 32,766.
const ROWS_PER_UPDATE: usize = 2000;

/// Maximum number of messages in one event.
const MESSAGES_PER_EVENT: usize = 500;

/// How the deletion of an account treats the messages that the user sent in groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentMessages {
    /// Deletes them, with their revisions.
    Delete,
    /// Keeps them, without their sender.
    Anonymize,
}

#[derive(FromQueryResult)]
struct Sent {
    id: MessageId,
    root_id: Option<MessageId>,
    depth: i32,
    path: Vec<u8>,
    branch_seq: Option<i32>,
}

/// Deletes or anonymises the user's messages in a conversation that the transaction has locked. Returns the changes.
pub(super) async fn remove_in(
    tx: &Tx,
    user: UserId,
    conversation: ConversationId,
    messages: SentMessages,
    at: DateTime<Utc>,
) -> Result<Vec<Change>, Error> {
    let sent: Vec<Sent> = message::Entity::find()
        .select_only()
        .columns([
            message::Column::Id,
            message::Column::RootId,
            message::Column::Depth,
            message::Column::Path,
            message::Column::BranchSeq,
        ])
        .filter(sent_by(user, conversation))
        .filter(message::Column::Kind.eq(MessageKind::User))
        .filter(message::Column::DeletedAt.is_null())
        .order_by_asc(message::Column::Seq)
        .into_model()
        .all(tx)
        .await?;
    if messages == SentMessages::Anonymize {
        clear_client_ids_in(tx, user, conversation).await?;
        let changes = sent
            .iter()
            .map(|sent| Change::MessageEdited { message: sent.id });
        return Ok(changes.collect());
    }
    erase_in(tx, user, conversation, at).await?;
    let hidden = decrease_counts_in(tx, conversation, &sent).await?;
    let threads: BTreeSet<_> = sent.iter().filter_map(|sent| sent.root_id).collect();
    let own = sent.iter().map(|sent| sent.id);
    let deleted = own.chain(hidden).map(|message| Change::MessageDeleted {
        message,
        conversation,
    });
    let changed = threads.into_iter().map(|root| Change::ThreadChanged {
        thread: ThreadId::from(root),
    });
    let ids: Vec<_> = sent.iter().map(|sent| sent.id).collect();
    let notifications =
        ids.chunks(MESSAGES_PER_EVENT)
            .map(|some| Change::PlainNotificationsRemoved {
                messages: some.to_vec(),
            });
    Ok(deleted.chain(changed).chain(notifications).collect())
}

fn sent_by(user: UserId, conversation: ConversationId) -> Condition {
    Condition::all()
        .add(message::Column::SenderId.eq(user))
        .add(message::Column::ConversationId.eq(conversation))
}

/// Removes the ids that the client chose: they may contain personal data, and no client will send these messages again.
/// The hashes by which such a request would be recognised are not needed either.
async fn clear_client_ids_in(
    tx: &Tx,
    user: UserId,
    conversation: ConversationId,
) -> Result<(), Error> {
    message::Entity::update_many()
        .col_expr(message::Column::ClientMessageId, Expr::null())
        .col_expr(message::Column::ContentHash, Expr::null())
        .filter(sent_by(user, conversation))
        .exec(tx)
        .await?;
    Ok(())
}

/// Turns the messages into empty markers, including those that were deleted before.
async fn erase_in(
    tx: &Tx,
    user: UserId,
    conversation: ConversationId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    notifications::forget_sender_in(tx, user, conversation, at).await?;
    let own = sent_by(user, conversation).add(message::Column::Kind.eq(MessageKind::User));
    let ids = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(own.clone())
        .into_query();
    message_revision::Entity::delete_many()
        .filter(message_revision::Column::MessageId.in_subquery(ids.clone()))
        .exec(tx)
        .await?;
    mention::Entity::delete_many()
        .filter(mention::Column::MessageId.in_subquery(ids))
        .exec(tx)
        .await?;
    let deleted_at = Expr::col(message::Column::DeletedAt).if_null(at);
    message::Entity::update_many()
        .col_expr(message::Column::Body, Expr::null())
        .col_expr(message::Column::ContentHash, Expr::null())
        .col_expr(message::Column::ClientMessageId, Expr::null())
        .col_expr(message::Column::DeletedAt, deleted_at)
        .filter(own)
        .exec(tx)
        .await?;
    Ok(())
}

/// How many deleted messages the counts of a message lose.
#[derive(Clone, Copy, Default)]
struct Decrease {
    replies: i32,
    descendants: i32,
}

/// Decreases the counts of the messages above the deleted ones. Returns the ids of earlier markers that are hidden now,
/// because they have no descendants left.
async fn decrease_counts_in(
    tx: &Tx,
    conversation: ConversationId,
    deleted: &[Sent],
) -> Result<Vec<MessageId>, Error> {
    let mut decreases: BTreeMap<i32, Decrease> = BTreeMap::new();
    let mut branches = BTreeSet::new();
    let mut threads: BTreeMap<ThreadId, i32> = BTreeMap::new();
    for message in deleted {
        let seqs = path::counted(&message.path, message.branch_seq);
        // The last one of a deep reply is its branch.
        let above = match message.branch_seq {
            None => seqs.split_last().map_or(&[][..], |(_, above)| above),
            Some(_) => seqs.as_slice(),
        };
        for &seq in above {
            decreases.entry(seq).or_default().descendants += 1;
        }
        let has_parent = usize::try_from(message.depth) == Ok(above.len());
        if let Some(&parent) = above.last().filter(|_| has_parent) {
            decreases.entry(parent).or_default().replies += 1;
        }
        branches.extend(message.branch_seq.map(|seq| (conversation, seq)));
        if let Some(root) = message.root_id {
            *threads.entry(root.into()).or_default() += 1;
        }
    }
    let own: HashSet<_> = deleted.iter().map(|message| message.id).collect();
    let mut hidden = vec![];
    let decreases: Vec<_> = decreases.into_iter().collect();
    for some in decreases.chunks(ROWS_PER_UPDATE) {
        let row = |&(seq, decrease): &(i32, Decrease)| -> [Value; 3] {
            [
                seq.into(),
                decrease.replies.into(),
                decrease.descendants.into(),
            ]
        };
        let table = ValuesCte::new("decrease (seq, replies, descendants)", some.iter().map(row));
        // SQL, because each row decreases by other numbers: one statement reads them from a table of values.
        let text = format!(
            "WITH {} UPDATE message SET reply_count = reply_count - decrease.replies,
                 descendant_count = descendant_count - decrease.descendants
             FROM decrease WHERE message.conversation_id = ? AND message.seq = decrease.seq
             RETURNING id, deleted_at IS NOT NULL AND descendant_count = 0 AS is_hidden",
            table.text
        );
        let values = table.and([conversation.into()]);
        let updated: Vec<(MessageId, bool)> = db::fetch_tuples(tx, &text, values).await?;
        let hidden_now = updated.into_iter().filter(|&(_, is_hidden)| is_hidden);
        hidden.extend(hidden_now.map(|(id, _)| id).filter(|id| !own.contains(id)));
    }
    let deep = deep_replies::recount_in(tx, &branches).await?;
    hidden.extend(deep.into_iter().filter(|id| !own.contains(id)));
    let threads: Vec<_> = threads.into_iter().collect();
    for some in threads.chunks(ROWS_PER_UPDATE) {
        let row = |&(thread, count): &(ThreadId, i32)| [thread.into(), count.into()];
        let table = ValuesCte::new("decrease (id, replies)", some.iter().map(row));
        // SQL, because each row decreases by another number.
        let text = format!(
            "WITH {} UPDATE thread SET reply_count = reply_count - decrease.replies
             FROM decrease WHERE thread.id = decrease.id",
            table.text
        );
        db::execute(tx, &text, table.values).await?;
    }
    Ok(hidden)
}
