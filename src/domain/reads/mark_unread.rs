//! Marking messages as unread: moves a read position back.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, Value, sea_query::Expr,
};

use crate::{
    core::Core,
    db::{self, Tx},
    domain::{
        messages,
        notifications::plain,
        reads::{
            announce::announce_in,
            scope::{ReadScope, ScopedSeq, lock_in, raise_in},
        },
        sessions::Viewer,
    },
    entity::{message, participant, read_exception, read_mark},
    error::Error,
    id::MessageId,
};

/// Moves the viewer's read position in the message's scope back, so that the message is the first unread one there.
/// Other scopes do not change.
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
    let message = messages::find(tx, viewer, id).await?;
    let conversation = message.conversation_id;
    let floors = lock_in(tx, viewer, &[conversation]).await?;
    let floor = floors.get(&conversation);
    let floor = *floor.ok_or_else(|| Error::not_found("message"))?;
    let scope = ReadScope::of(conversation, message.root_id);
    let seq = message.seq - 1;
    keep_notifications_read_in(tx, core, viewer, scope, (message.seq, floor)).await?;
    // The earlier messages of the scope are read from now on.
    let in_scope = match message.root_id {
        Some(root) => message::Column::RootId.eq(root),
        None => message::Column::RootId.is_null(),
    };
    let before = Condition::all()
        .add(message::Column::ConversationId.eq(conversation))
        .add(in_scope)
        .add(message::Column::Seq.lt(message.seq));
    let becoming_read = plain::unread_in(tx, viewer, before).await?;
    if floor > seq {
        push_floor_to_scopes_in(tx, viewer, scope, message.seq).await?;
        participant::Entity::update_many()
            .col_expr(participant::Column::ReadFloorSeq, Expr::val(seq))
            .filter(participant::Column::UserId.eq(viewer.user))
            .filter(participant::Column::ConversationId.eq(conversation))
            .exec(tx)
            .await?;
    }
    read_mark::Entity::delete_many()
        .filter(read_mark::Column::UserId.eq(viewer.user))
        .filter(read_mark::Column::LaneId.eq(scope.id()))
        .exec(tx)
        .await?;
    read_exception::Entity::delete_many()
        .filter(read_exception::Column::UserId.eq(viewer.user))
        .filter(read_exception::Column::LaneId.eq(scope.id()))
        .exec(tx)
        .await?;
    if floor < seq {
        raise_in(tx, viewer, &[ScopedSeq { scope, seq }]).await?;
    }
    announce_in(tx, core, viewer, &[scope], &becoming_read).await
}

/// A notification that was read stays read when its message is marked unread.
async fn keep_notifications_read_in(
    tx: &Tx,
    core: &Core,
    viewer: &Viewer,
    scope: ReadScope,
    (from_seq, floor): (i32, i32),
) -> Result<(), Error> {
    let participant = participant::Entity::find()
        .filter(participant::Column::UserId.eq(viewer.user))
        .filter(participant::Column::ConversationId.eq(scope.conversation))
        .one(tx)
        .await?;
    let participant = participant.ok_or_else(|| Error::not_found("message"))?;
    let mark = read_mark::Entity::find_by_id((viewer.user, scope.id()))
        .one(tx)
        .await?;
    let read_seq = mark.map_or(floor, |mark| mark.seq.max(floor));
    let exceptions: Vec<i32> = read_exception::Entity::find()
        .select_only()
        .column(read_exception::Column::Seq)
        .filter(read_exception::Column::UserId.eq(viewer.user))
        .filter(read_exception::Column::LaneId.eq(scope.id()))
        .filter(read_exception::Column::Seq.gte(from_seq))
        .into_tuple()
        .all(tx)
        .await?;
    let read = (from_seq, read_seq);
    let now = core.clock.now();
    plain::keep_read_in(tx, &participant, scope.id(), read, &exceptions, now).await
}

/// Copies the floor to the marks of the other scopes of the conversation, if they have messages that are read only
/// because of the floor. SQL, because it inserts from a union of two tables.
async fn push_floor_to_scopes_in(
    tx: &Tx,
    viewer: &Viewer,
    scope: ReadScope,
    seq: i32,
) -> Result<(), Error> {
    let text = "INSERT INTO read_mark (user_id, lane_id, conversation_id, seq)
        SELECT p.user_id, scope.id, p.conversation_id, p.read_floor_seq FROM participant p
        JOIN (SELECT id, id AS conversation_id FROM conversation WHERE id = ?
            UNION ALL
            SELECT id, conversation_id FROM thread
            WHERE conversation_id = ? AND last_reply_seq >= ?) AS scope
            ON scope.conversation_id = p.conversation_id
        WHERE p.user_id = ? AND scope.id <> ?
        ON CONFLICT (user_id, lane_id) DO UPDATE SET seq = excluded.seq
        WHERE read_mark.seq < excluded.seq";
    let values: [Value; 5] = [
        scope.conversation.into(),
        scope.conversation.into(),
        seq.into(),
        viewer.user.into(),
        scope.id().into(),
    ];
    db::execute(tx, text, values).await?;
    Ok(())
}
