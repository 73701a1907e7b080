//! What becomes of the messages of someone who goes, one group at a time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};

use super::Disposal;
use crate::{
    db::{self, Tx},
    domain::{messages::path, notifications},
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
    let sent: Vec<Sent> = db::fetch_all(
        tx,
        "SELECT id, root_id, path FROM message
         WHERE sender_id = ? AND conversation_id = ? AND deleted_at IS NULL AND kind = 'USER'
         ORDER BY seq",
        [user.into(), conversation.into()],
    )
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

/// The client's own keys may say anything, and nobody will repeat these messages.
async fn forget_keys_in(tx: &Tx, user: UserId, conversation: ConversationId) -> Result<(), Error> {
    let text = "UPDATE message SET client_message_id = NULL
                WHERE sender_id = ? AND conversation_id = ?";
    db::execute(tx, text, [user.into(), conversation.into()]).await?;
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
    for table in ["message_revision", "mention"] {
        let text = format!(
            "DELETE FROM {table} WHERE message_id IN (SELECT id FROM message
                 WHERE sender_id = ? AND conversation_id = ? AND kind = 'USER')"
        );
        db::execute(tx, &text, [user.into(), conversation.into()]).await?;
    }
    let text = "UPDATE message SET body = NULL, content_hash = NULL, client_message_id = NULL,
                    deleted_at = COALESCE(deleted_at, ?)
                WHERE sender_id = ? AND conversation_id = ? AND kind = 'USER'";
    db::execute(tx, text, [at.into(), user.into(), conversation.into()]).await?;
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
