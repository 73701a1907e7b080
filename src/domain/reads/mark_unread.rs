//! Moving a read position back.

use sea_orm::{FromQueryResult, Value};

use crate::{
    core::Core,
    db::{self, Tx},
    domain::{
        predicates::{shown, visible_to},
        reads::{
            announce_in,
            scope::{ReadScope, ScopedSeq, lock_in, raise_in},
        },
        sessions::Viewer,
    },
    error::Error,
    id::{ConversationId, MessageId},
};

#[derive(FromQueryResult)]
struct Place {
    conversation_id: ConversationId,
    root_id: Option<MessageId>,
    seq: i32,
}

/// Moves the viewer's read position in the message's lane so that the message is the first unread
/// one there. The other lanes stay as they are.
pub async fn mark_unread_from(core: &Core, viewer: &Viewer, id: MessageId) -> Result<(), Error> {
    core.db
        .write(|tx| async move { mark_unread_from_in(&tx, core, viewer, id).await })
        .await
}

async fn mark_unread_from_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    id: MessageId,
) -> Result<(), Error> {
    let text = format!(
        "SELECT m.conversation_id, m.root_id, m.seq FROM message m
         JOIN participant p ON p.conversation_id = m.conversation_id AND {}
         WHERE p.user_id = ? AND m.id = ? AND {}",
        visible_to("m", "p"),
        shown("m")
    );
    let values: [Value; 2] = [viewer.user.into(), id.into()];
    let found: Option<Place> = db::fetch_one(tx, &text, values).await?;
    let missing = || Error::not_found("message");
    let place = found.ok_or_else(missing)?;
    let conversation = place.conversation_id;
    let floors = lock_in(tx, viewer, &[conversation]).await?;
    let floor = *floors.get(&conversation).ok_or_else(missing)?;
    let lane = ReadScope::of(conversation, place.root_id);
    let below = place.seq - 1;
    if floor > below {
        push_floor_to_scopes_in(tx, viewer, lane, place.seq).await?;
        let text = "UPDATE participant SET read_floor_seq = ?
            WHERE user_id = ? AND conversation_id = ?";
        let values: [Value; 3] = [below.into(), viewer.user.into(), conversation.into()];
        db::execute(tx, text, values).await?;
    }
    for table in ["read_mark", "read_exception"] {
        let text = format!("DELETE FROM {table} WHERE user_id = ? AND lane_id = ?");
        db::execute(tx, &text, [viewer.user.into(), lane.id().into()]).await?;
    }
    if floor < below {
        raise_in(tx, viewer, &[ScopedSeq { lane, seq: below }]).await?;
    }
    announce_in(tx, core, viewer, &[lane]).await
}

/// Gives the floor to the other lanes of the conversation as their mark, as far as they have messages
/// that only the floor makes read.
async fn push_floor_to_scopes_in(
    tx: &Tx,
    viewer: &Viewer,
    lane: ReadScope,
    seq: i32,
) -> Result<(), Error> {
    let text = "INSERT INTO read_mark (user_id, lane_id, conversation_id, seq)
        SELECT p.user_id, lane.id, p.conversation_id, p.read_floor_seq FROM participant p
        JOIN (SELECT id, id AS conversation_id FROM conversation WHERE id = ?
            UNION ALL
            SELECT id, conversation_id FROM thread
            WHERE conversation_id = ? AND last_reply_seq >= ?) AS lane
            ON lane.conversation_id = p.conversation_id
        WHERE p.user_id = ? AND lane.id <> ?
        ON CONFLICT (user_id, lane_id) DO UPDATE SET seq = excluded.seq
        WHERE read_mark.seq < excluded.seq";
    let values: [Value; 5] = [
        lane.conversation.into(),
        lane.conversation.into(),
        seq.into(),
        viewer.user.into(),
        lane.id().into(),
    ];
    db::execute(tx, text, values).await?;
    Ok(())
}
