//! Threads: a root message and everything below it, and who follows it.

pub mod lists;
pub mod people;
pub mod replies;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select, Value,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    app::App,
    db::{self, Tx},
    domain::{access, sessions::Viewer},
    entity::{message, participant, thread},
    error::Error,
    id::{ThreadId, UserId},
    live::log::{self, Change, Stream},
};

/// The threads this viewer may see: those whose root they may see.
#[must_use]
pub fn visible(viewer: &Viewer) -> Select<thread::Entity> {
    let mut roots = Query::select();
    roots
        .column((message::Entity, message::Column::Id))
        .from(message::Entity)
        .inner_join(
            participant::Entity,
            Expr::col((message::Entity, message::Column::ConversationId))
                .equals((participant::Entity, participant::Column::ConversationId)),
        )
        .and_where(
            Expr::col((message::Entity, message::Column::Id))
                .equals((thread::Entity, thread::Column::Id)),
        )
        .and_where(Expr::col((participant::Entity, participant::Column::UserId)).eq(viewer.user))
        .and_where(
            Expr::col((message::Entity, message::Column::Seq)).gte(Expr::col((
                participant::Entity,
                participant::Column::VisibleFromSeq,
            ))),
        )
        .and_where(
            Expr::col((message::Entity, message::Column::DeletedAt))
                .is_null()
                .or(Expr::col((message::Entity, message::Column::DescendantCount)).gt(0)),
        );
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

/// A reply was written: the thread begins or grows. Whoever writes in a thread follows it, and so does
/// the author of its root, unless they had stopped following.
pub(super) async fn replied_in(
    tx: &Tx,
    reply: &message::Model,
    parent: &message::Model,
) -> Result<(), Error> {
    let id = ThreadId::from(reply.thread_root());
    let text =
        "INSERT INTO thread (id, conversation_id, reply_count, last_reply_seq, last_activity_at)
        VALUES (?, ?, 1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET reply_count = thread.reply_count + 1,
            last_reply_seq = excluded.last_reply_seq, last_activity_at = excluded.last_activity_at";
    let values = [
        id.into(),
        reply.conversation_id.into(),
        reply.seq.into(),
        reply.created_at.into(),
    ];
    db::run(tx, text, values).await?;
    let mut followers: Vec<UserId> = reply.sender_id.into_iter().collect();
    if parent.root_id.is_none() {
        followers.extend(
            parent
                .sender_id
                .filter(|author| !followers.contains(author)),
        );
    }
    for follower in followers {
        // The author of the root may have left the conversation.
        let text = "INSERT INTO thread_follow (user_id, thread_id, conversation_id, is_following)
            SELECT user_id, ?, conversation_id, ? FROM participant
            WHERE conversation_id = ? AND user_id = ?
            ON CONFLICT (user_id, thread_id) DO NOTHING";
        let values = [
            id.into(),
            true.into(),
            reply.conversation_id.into(),
            follower.into(),
        ];
        db::run(tx, text, values).await?;
    }
    Ok(())
}

/// A reply was deleted. When it last got a reply stays true.
pub(super) async fn reply_deleted_in(tx: &Tx, reply: &message::Model) -> Result<(), Error> {
    let text = "UPDATE thread SET reply_count = reply_count - 1 WHERE id = ?";
    db::run(tx, text, [reply.thread_root().into()]).await?;
    Ok(())
}

/// Follows a thread, or stops following it. Repeating it changes nothing.
pub async fn follow(
    app: &App,
    viewer: &Viewer,
    id: ThreadId,
    is_following: bool,
) -> Result<thread::Model, Error> {
    app.db
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
            if db::run(&*tx, text, values).await? == 0 {
                return Ok(thread);
            }
            let change = Change::ThreadChanged { thread: id };
            log::append(&tx, Stream::User(viewer.user), app.clock.now(), &[change]).await?;
            Ok(thread)
        })
        .await
}
