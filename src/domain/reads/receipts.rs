//! Read receipts: the read positions of participants who share them, in conversations small enough that each position
//! can be sent to every participant. All of it is SQL, because whether a participant shares is a subquery. Reads only.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, Value};

use crate::{
    db,
    domain::{predicates::visible_to, reads::position, sessions::Viewer},
    error::Error,
    id::{ConversationId, MessageId, ParticipantId, UserId},
    live::log::SHARED_READ_POSITIONS_MAX,
};

/// Whether participant `p` shares their read position. Binds no values.
fn shared() -> String {
    format!(
        r#"EXISTS (SELECT 1 FROM "user" u WHERE u.id = p.user_id AND u.shares_read_receipts)
           AND EXISTS (SELECT 1 FROM conversation c WHERE c.id = p.conversation_id
               AND c.participant_count <= {SHARED_READ_POSITIONS_MAX})"#
    )
}

/// The conversations among these in which this user shares their read position.
pub async fn shared_by<C: ConnectionTrait>(
    db: &C,
    user: UserId,
    conversations: &[ConversationId],
) -> Result<HashSet<ConversationId>, Error> {
    if conversations.is_empty() {
        return Ok(HashSet::new());
    }
    let text = format!(
        "SELECT p.conversation_id AS id FROM participant p
         WHERE p.user_id = ? AND p.conversation_id IN ({}) AND {}",
        db::placeholders(conversations.len()),
        shared()
    );
    db::fetch_tuples(db, &text, db::bind(user, conversations)).await
}

/// The users who may receive the read position of this user at this message: the participants who see the message, if
/// the user still shares it.
pub async fn audience<C: ConnectionTrait>(
    db: &C,
    user: UserId,
    up_to: MessageId,
) -> Result<HashSet<UserId>, Error> {
    let text = format!(
        "SELECT other.user_id AS id FROM message m
         JOIN participant p ON p.conversation_id = m.conversation_id AND p.user_id = ?
         JOIN participant other ON other.conversation_id = m.conversation_id
             AND {}
         WHERE m.id = ? AND {}",
        visible_to("m", "other"),
        shared()
    );
    let values: [Value; 2] = [user.into(), up_to.into()];
    db::fetch_tuples(db, &text, values).await
}

/// The last root message that each of these participants has read, if they share it and the viewer participates in the
/// conversation.
pub async fn of_participants<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    participants: &[ParticipantId],
) -> Result<HashMap<ParticipantId, MessageId>, Error> {
    if participants.is_empty() {
        return Ok(HashMap::new());
    }
    let text = format!(
        "SELECT p.id, {} AS last_read FROM participant p
         WHERE EXISTS (SELECT 1 FROM participant own
             WHERE own.conversation_id = p.conversation_id AND own.user_id = ?)
             AND p.id IN ({}) AND {}",
        position::last_read(db.get_database_backend(), position::TIMELINE),
        db::placeholders(participants.len()),
        shared()
    );
    let rows: Vec<(_, Option<_>)> =
        db::fetch_tuples(db, &text, db::bind(viewer.user, participants)).await?;
    let has_read = |(id, last_read)| Some((id, last_read?));
    Ok(rows.into_iter().filter_map(has_read).collect())
}
