//! Batched reads of what belongs to messages: revisions and mentions.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait,
};

use crate::{
    db,
    domain::{
        pagination::{PageRequest, Slice},
        predicates::{is_visible, visible},
        sessions::Viewer,
    },
    entity::{mention, message_revision},
    error::Error,
    id::{ConversationId, MessageId, RevisionId, UserId},
};

/// A page of the revisions of each message, newest first, below this revision number.
pub async fn revisions<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    messages: &[MessageId],
    span: &PageRequest<i32>,
) -> Result<HashMap<MessageId, Slice<message_revision::Model>>, Error> {
    // SQL for its window function.
    let text = format!(
        "SELECT * FROM (
             SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.message_id ORDER BY r.number DESC) AS place
             FROM message_revision r JOIN message m ON m.id = r.message_id
             WHERE {} AND r.message_id IN ({}) AND r.number < ?
         ) AS list WHERE place <= ? ORDER BY number DESC",
        visible("m"),
        db::placeholders(messages.len())
    );
    let mut values = db::bind(viewer.user, messages);
    values.extend([span.after.unwrap_or(i32::MAX).into(), span.limit().into()]);
    let rows = db::fetch_all(db, &text, values).await?;
    Ok(span.parts(rows, |row: &message_revision::Model| row.message_id))
}

/// The revisions with these ids, of messages that are visible to the viewer.
pub async fn by_id<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    ids: &[RevisionId],
) -> Result<Vec<message_revision::Model>, Error> {
    let rows = message_revision::Entity::find()
        .join(
            JoinType::InnerJoin,
            message_revision::Relation::Message.def(),
        )
        .filter(is_visible(viewer.user))
        .filter(message_revision::Column::Id.is_in(ids.iter().copied()))
        .all(db);
    Ok(rows.await?)
}

/// The users that each message mentions, ordered by id.
pub async fn mentioned<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, Vec<UserId>>, Error> {
    let rows = mention::Entity::find()
        .select_only()
        .columns([mention::Column::MessageId, mention::Column::UserId])
        .join(JoinType::InnerJoin, mention::Relation::Message.def())
        .filter(is_visible(viewer.user))
        .filter(mention::Column::MessageId.is_in(messages.iter().copied()))
        .order_by_asc(mention::Column::UserId)
        .into_tuple::<(MessageId, UserId)>()
        .all(db);
    let mut users: HashMap<MessageId, Vec<UserId>> = HashMap::new();
    for (message, user) in rows.await? {
        users.entry(message).or_default().push(user);
    }
    Ok(users)
}

/// The messages among these that mention the viewer.
pub async fn mentioning<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    messages: &[MessageId],
) -> Result<HashSet<MessageId>, Error> {
    let rows = mention::Entity::find()
        .filter(mention::Column::UserId.eq(viewer.user))
        .filter(mention::Column::MessageId.is_in(messages.iter().copied()))
        .order_by_asc(mention::Column::MessageId)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.message_id).collect())
}

/// The two participants of each of these conversations that is direct and has two.
pub async fn pairs<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, Vec<UserId>>, Error> {
    // SQL for its self-join: the viewer's membership first, then the other's.
    let text = format!(
        "SELECT o.conversation_id, o.user_id
         FROM conversation c
         JOIN participant p ON p.conversation_id = c.id AND p.user_id = ?
         JOIN participant o ON o.conversation_id = c.id
         WHERE c.kind = 'DIRECT' AND c.id IN ({})",
        db::placeholders(conversations.len())
    );
    let values = db::bind(viewer.user, conversations);
    let members: Vec<(ConversationId, UserId)> = db::fetch_tuples(db, &text, values).await?;
    let mut people: HashMap<_, Vec<_>> = HashMap::new();
    for (conversation, user) in members {
        people.entry(conversation).or_default().push(user);
    }
    people.retain(|_, people| people.len() == 2);
    Ok(people)
}
