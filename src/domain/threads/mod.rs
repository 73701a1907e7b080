//! Threads: a root message and everything below it, and who follows it.

pub mod followers;
pub mod lists;
pub mod replies;

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Select, Value,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    core::Core,
    db::{self, Tx, ValuesCte},
    domain::{access, predicates, sessions::Viewer},
    entity::{message, thread},
    error::Error,
    id::{MessageId, ThreadId, UserId},
    live::log::{self, Change, Stream},
};

/// The threads this viewer may see: those whose root they may see.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<thread::Entity> {
    let roots = Query::select()
        .column((message::Entity, message::Column::Id))
        .from(message::Entity)
        .and_where(
            Expr::col((message::Entity, message::Column::Id))
                .equals((thread::Entity, thread::Column::Id)),
        )
        .and_where(predicates::is_visible(viewer.user))
        .and_where(predicates::is_shown())
        .to_owned();
    thread::Entity::find().filter(Expr::exists(roots))
}

/// One thread that the viewer may see.
pub async fn find<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: ThreadId,
) -> Result<thread::Model, Error> {
    let found = visible(viewer)
        .filter(thread::Column::Id.eq(id))
        .one(db)
        .await?;
    found.ok_or_else(|| Error::not_found("thread"))
}

/// Who began to follow which threads, and with which reply.
pub(super) type NewFollowers = HashMap<(ThreadId, UserId), i32>;

/// Replies to these parents were written, in this order: threads begin or grow. Whoever writes in a thread follows it,
/// and so does the author of its root, unless they had stopped following.
pub(super) async fn replied_in(
    tx: &Tx,
    replies: &[(&message::Model, &message::Model)],
) -> Result<NewFollowers, Error> {
    if replies.is_empty() {
        return Ok(NewFollowers::new());
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

/// Counts new replies.
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

/// Lets people follow threads who have not decided about them; tells who does so from now on.
async fn follow_in(
    tx: &Tx,
    followers: &BTreeMap<(ThreadId, UserId), &message::Model>,
) -> Result<NewFollowers, Error> {
    #[derive(FromQueryResult)]
    struct Following {
        thread_id: ThreadId,
        user_id: UserId,
    }
    let row = |(&(thread, user), reply): (&(ThreadId, UserId), &&message::Model)| -> [Value; 3] {
        [thread.into(), user.into(), reply.conversation_id.into()]
    };
    let table = ValuesCte::new("v (thread_id, user_id, place)", followers.iter().map(row));
    // The author of the root may have left the conversation.
    let text = format!(
        "WITH {} INSERT INTO thread_follow (user_id, thread_id, conversation_id, is_following)
         SELECT p.user_id, v.thread_id, p.conversation_id, ? FROM v CROSS JOIN participant p
         WHERE p.conversation_id = v.place AND p.user_id = v.user_id
         ON CONFLICT (user_id, thread_id) DO NOTHING RETURNING thread_id, user_id",
        table.text
    );
    let begun: Vec<Following> = db::fetch_all(tx, &text, table.and([true.into()])).await?;
    let since = |Following { thread_id, user_id }| {
        let following = (thread_id, user_id);
        Some((following, followers.get(&following)?.seq))
    };
    Ok(begun.into_iter().filter_map(since).collect())
}

/// A reply was deleted. When it last got a reply stays true.
pub(super) async fn reply_deleted_in(tx: &Tx, reply: &message::Model) -> Result<(), Error> {
    let text = "UPDATE thread SET reply_count = reply_count - 1 WHERE id = ?";
    db::execute(tx, text, [reply.thread_root().into()]).await?;
    Ok(())
}

/// Follows a thread, or stops following it. Repeating it changes nothing.
pub async fn follow(
    core: &Core,
    viewer: &Viewer,
    id: ThreadId,
    is_following: bool,
) -> Result<thread::Model, Error> {
    core.db
        .write(|tx| async move {
            let thread = find(&*tx, viewer, id).await?;
            // Locked, so that nobody follows what they are leaving.
            access::conversation(&tx, viewer, thread.conversation_id).await?;
            // In one statement: a reply may make them follow at the same moment.
            let text = "INSERT INTO thread_follow
                    (user_id, thread_id, conversation_id, is_following) VALUES (?, ?, ?, ?)
                ON CONFLICT (user_id, thread_id)
                DO UPDATE SET is_following = excluded.is_following
                WHERE thread_follow.is_following <> excluded.is_following";
            let values: [Value; 4] = [
                viewer.user.into(),
                id.into(),
                thread.conversation_id.into(),
                is_following.into(),
            ];
            if db::execute(&*tx, text, values).await? == 0 {
                return Ok(thread);
            }
            let change = Change::ThreadChanged { thread: id };
            log::append(&tx, Stream::User(viewer.user), core.clock.now(), &[change]).await?;
            Ok(thread)
        })
        .await
}
