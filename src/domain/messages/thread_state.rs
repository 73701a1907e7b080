//! The rows that a reply changes besides its own: its thread, and the followers of the thread.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, Value};

use crate::{
    db::{self, Tx, ValuesCte},
    entity::{message, thread},
    error::Error,
    id::{MessageId, ThreadId, UserId},
};

/// Updates the threads of new replies, given in order with their parents. The author of a reply follows the thread, and
/// so does the author of its root, unless they have stopped following it.
pub(super) async fn replied_in(
    tx: &Tx,
    replies: &[(&message::Model, &message::Model)],
) -> Result<(), Error> {
    if replies.is_empty() {
        return Ok(());
    }
    grow_in(tx, replies).await?;
    let mut followers = BTreeMap::new();
    for (reply, parent) in replies {
        let root_author = parent.sender_id.filter(|_| parent.root_id.is_none());
        for follower in reply.sender_id.into_iter().chain(root_author) {
            let following = (ThreadId::from(reply.thread_root()), follower);
            followers.entry(following).or_insert(*reply);
        }
    }
    follow_in(tx, &followers).await
}

/// Inserts new threads and raises the counts of existing ones.
async fn grow_in(tx: &Tx, replies: &[(&message::Model, &message::Model)]) -> Result<(), Error> {
    let mut grown = BTreeMap::new();
    for (reply, _) in replies {
        let (count, last) = grown.entry(reply.thread_root()).or_insert((0, *reply));
        (*count, *last) = (*count + 1, *reply);
    }
    let row = |(id, (count, last)): (MessageId, (i32, &message::Model))| -> [Value; 5] {
        [
            id.into(),
            last.conversation_id.into(),
            count.into(),
            last.seq.into(),
            last.created_at.into(),
        ]
    };
    // SQL for its values CTE: one upsert of many rows that adds to stored counts.
    let table = ValuesCte::new("v (id, place, count, last, at)", grown.into_iter().map(row));
    let text = format!(
        "WITH {} INSERT INTO thread (id, conversation_id, reply_count, last_reply_seq, last_activity_at)
         SELECT id, place, count, last, at FROM v WHERE id IS NOT NULL
         ON CONFLICT (id) DO UPDATE SET reply_count = thread.reply_count + excluded.reply_count,
             last_reply_seq = excluded.last_reply_seq, last_activity_at = excluded.last_activity_at",
        table.text
    );
    db::execute(tx, &text, table.values).await?;
    Ok(())
}

/// Makes users follow threads from these replies on, except those who have already followed or stopped.
async fn follow_in(
    tx: &Tx,
    followers: &BTreeMap<(ThreadId, UserId), &message::Model>,
) -> Result<(), Error> {
    let row = |(&(thread, user), reply): (&(ThreadId, UserId), &&message::Model)| -> [Value; 4] {
        let place = reply.conversation_id;
        [thread.into(), user.into(), place.into(), reply.seq.into()]
    };
    let rows = followers.iter().map(row);
    let table = ValuesCte::new("v (thread_id, user_id, place, seq)", rows);
    // SQL for its values CTE. The join with participant skips the author of the root if they have left.
    let text = format!(
        "WITH {} INSERT INTO thread_follow (user_id, thread_id, conversation_id, is_following, from_seq)
         SELECT p.user_id, v.thread_id, p.conversation_id, ?, v.seq FROM v CROSS JOIN participant p
         WHERE p.conversation_id = v.place AND p.user_id = v.user_id
         ON CONFLICT (user_id, thread_id) DO NOTHING",
        table.text
    );
    db::execute(tx, &text, table.and([true.into()])).await?;
    Ok(())
}

/// Lowers the reply count of a thread after the deletion of a reply. Its last activity stays.
pub(super) async fn reply_deleted_in(tx: &Tx, reply: &message::Model) -> Result<(), Error> {
    let fewer = thread::Column::ReplyCount.into_expr().sub(1);
    thread::Entity::update_many()
        .col_expr(thread::Column::ReplyCount, fewer)
        .filter(thread::Column::Id.eq(ThreadId::from(reply.thread_root())))
        .exec(tx)
        .await?;
    Ok(())
}
