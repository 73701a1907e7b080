//! What becomes of the messages of someone who goes, one group at a time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Value, sea_query::Expr,
};

use super::Disposal;
use crate::{
    db::{self, Tx},
    domain::{messages::path, notifications},
    entity::{
        mention,
        message::{self, MessageKind},
        message_revision,
    },
    error::Error,
    id::{ConversationId, MessageId, ThreadId, UserId},
    live::log::Change,
};

/// Counters changed in one statement: three values each, and SQLite binds at most 32,766.
const ROWS_PER_UPDATE: usize = 2000;

#[derive(FromQueryResult)]
struct Sent {
    id: MessageId,
    root_id: Option<MessageId>,
    path: Vec<u8>,
}

/// Deletes the person's messages in a conversation, or takes their name off them; tells what changed.
/// The transaction holds the conversation's lock.
pub(super) async fn dispose_in(
    tx: &Tx,
    user: UserId,
    conversation: ConversationId,
    disposal: Disposal,
    at: DateTime<Utc>,
) -> Result<Vec<Change>, Error> {
    let sent: Vec<Sent> = message::Entity::find()
        .select_only()
        .columns([
            message::Column::Id,
            message::Column::RootId,
            message::Column::Path,
        ])
        .filter(sent_by(user, conversation))
        .filter(message::Column::Kind.eq(MessageKind::User))
        .filter(message::Column::DeletedAt.is_null())
        .order_by_asc(message::Column::Seq)
        .into_model()
        .all(tx)
        .await?;
    if disposal == Disposal::Anonymize {
        forget_keys_in(tx, user, conversation).await?;
        let changes = sent
            .iter()
            .map(|sent| Change::MessageEdited { message: sent.id });
        return Ok(changes.collect());
    }
    erase_in(tx, user, conversation, at).await?;
    let vanished = uncount_in(tx, conversation, &sent).await?;
    let threads: BTreeSet<_> = sent.iter().filter_map(|sent| sent.root_id).collect();
    let own = sent.iter().map(|sent| sent.id);
    let deleted = own.chain(vanished).map(|message| Change::MessageDeleted {
        message,
        conversation,
    });
    let changed = threads.into_iter().map(|root| Change::ThreadChanged {
        thread: ThreadId::from(root),
    });
    Ok(deleted.chain(changed).collect())
}

fn sent_by(user: UserId, conversation: ConversationId) -> Condition {
    Condition::all()
        .add(message::Column::SenderId.eq(user))
        .add(message::Column::ConversationId.eq(conversation))
}

/// The client's own keys may say anything, and nobody will repeat these messages.
async fn forget_keys_in(tx: &Tx, user: UserId, conversation: ConversationId) -> Result<(), Error> {
    message::Entity::update_many()
        .col_expr(message::Column::ClientMessageId, Expr::null())
        .filter(sent_by(user, conversation))
        .exec(tx)
        .await?;
    Ok(())
}

/// Leaves empty markers, also of what was deleted before.
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

/// What a message loses from its counts.
#[derive(Clone, Copy, Default)]
struct Loss {
    direct: i32,
    below: i32,
}

/// A message that lost replies.
#[derive(FromQueryResult)]
struct Lost {
    id: MessageId,
    is_gone: bool,
}

/// Takes deleted messages out of the counts above them; tells which older markers nothing hangs below any more.
async fn uncount_in(
    tx: &Tx,
    conversation: ConversationId,
    deleted: &[Sent],
) -> Result<Vec<MessageId>, Error> {
    let mut losses: BTreeMap<i32, Loss> = BTreeMap::new();
    let mut threads: BTreeMap<ThreadId, i32> = BTreeMap::new();
    for message in deleted {
        let places = path::places(&message.path);
        let Some((_, above)) = places.split_last() else {
            continue;
        };
        for &place in above {
            losses.entry(place).or_default().below += 1;
        }
        if let Some(&parent) = above.last() {
            losses.entry(parent).or_default().direct += 1;
        }
        if let Some(root) = message.root_id {
            *threads.entry(root.into()).or_default() += 1;
        }
    }
    let own: HashSet<_> = deleted.iter().map(|message| message.id).collect();
    let mut vanished = vec![];
    let losses: Vec<_> = losses.into_iter().collect();
    for some in losses.chunks(ROWS_PER_UPDATE) {
        let mut values: Vec<Value> = Vec::with_capacity(some.len() * 3 + 1);
        for (place, loss) in some {
            values.extend([(*place).into(), loss.direct.into(), loss.below.into()]);
        }
        values.push(conversation.into());
        // SQL, because each row loses another number of replies: one statement reads them from a table of values.
        let text = format!(
            "WITH loss (seq, direct, below) AS (VALUES {})
             UPDATE message SET reply_count = reply_count - loss.direct,
                 descendant_count = descendant_count - loss.below
             FROM loss WHERE message.conversation_id = ? AND message.seq = loss.seq
             RETURNING id, deleted_at IS NOT NULL AND descendant_count = 0 AS is_gone",
            rows(some.len(), "(?, ?, ?)")
        );
        let touched: Vec<Lost> = db::fetch_all(tx, &text, values).await?;
        let gone = touched.into_iter().filter(|lost| lost.is_gone);
        vanished.extend(gone.map(|lost| lost.id).filter(|id| !own.contains(id)));
    }
    let lost: Vec<_> = threads.iter().collect();
    for some in lost.chunks(ROWS_PER_UPDATE) {
        let mut values: Vec<Value> = Vec::with_capacity(some.len() * 2);
        for &(&thread, &count) in some {
            values.extend([thread.into(), count.into()]);
        }
        // SQL, because each row loses another number of replies.
        let text = format!(
            "WITH loss (id, replies) AS (VALUES {})
             UPDATE thread SET reply_count = reply_count - loss.replies
             FROM loss WHERE thread.id = loss.id",
            rows(some.len(), "(?, ?)")
        );
        db::execute(tx, &text, values).await?;
    }
    Ok(vanished)
}

fn rows(count: usize, row: &str) -> String {
    vec![row; count].join(", ")
}
