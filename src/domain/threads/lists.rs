//! Lists of threads, most recently active first: those of a conversation, and those that the viewer follows.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Value};

use crate::{
    db,
    domain::{
        pagination::{PageRequest, Slice, union_all},
        predicates::{shown, unread, visible, visible_to},
        sessions::Viewer,
    },
    entity::thread,
    error::Error,
    id::{ConversationId, ThreadId},
};

/// The position of a thread in a list.
pub type ThreadPosition = (DateTime<Utc>, ThreadId);

/// One page of the threads of each conversation.
pub async fn of_conversations<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
    span: &PageRequest<ThreadPosition>,
) -> Result<HashMap<ConversationId, Slice<thread::Model>>, Error> {
    let select = |&conversation: &ConversationId| {
        let (rest, more) = rest(span);
        let text = format!(
            "SELECT t.* FROM thread t JOIN message m ON m.id = t.id
             WHERE {} AND t.conversation_id = ? AND t.reply_count > 0 AND {}{rest}",
            visible("m"),
            shown("m")
        );
        let mut values: Vec<Value> = vec![viewer.user.into(), conversation.into()];
        values.extend(more);
        (text, values)
    };
    let rows = union_all(db, conversations.iter().map(select).collect()).await?;
    Ok(span.parts(rows, |row: &thread::Model| row.conversation_id))
}

/// A page of the threads that the viewer follows, or only of those with unread replies.
pub async fn followed<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    unread_only: bool,
    span: &PageRequest<ThreadPosition>,
) -> Result<Slice<thread::Model>, Error> {
    let (rest, more) = rest(span);
    let unread = if unread_only {
        format!(
            "AND EXISTS (SELECT 1 FROM message m WHERE m.root_id = t.id AND {})",
            unread("m", "p")
        )
    } else {
        String::new()
    };
    // SQL for its join order: the threads that the viewer follows first, then one membership for each.
    let text = format!(
        "SELECT t.* FROM thread_follow f
         JOIN thread t ON t.id = f.thread_id JOIN message m ON m.id = t.id
         CROSS JOIN participant p
         WHERE p.conversation_id = m.conversation_id AND p.user_id = ? AND {}
         AND f.user_id = ? AND f.is_following = ? AND t.reply_count > 0 AND {} {unread}{rest}",
        visible_to("m", "p"),
        shown("m")
    );
    let mut values: Vec<Value> = vec![viewer.user.into(), viewer.user.into(), true.into()];
    values.extend(more);
    Ok(span.part(db::fetch_all(db, &text, values).await?))
}

fn rest(span: &PageRequest<ThreadPosition>) -> (&'static str, Vec<Value>) {
    let mut values: Vec<Value> = vec![];
    let text = match span.after {
        Some((time, id)) => {
            values.extend([time.into(), id.into()]);
            " AND (t.last_activity_at, t.id) < (?, ?)
              ORDER BY t.last_activity_at DESC, t.id DESC LIMIT ?"
        }
        None => " ORDER BY t.last_activity_at DESC, t.id DESC LIMIT ?",
    };
    values.push(span.limit().into());
    (text, values)
}
