//! The timeline of a conversation: its root messages, or all its messages, by sequence number. All of it is SQL,
//! because a page has its own order and limit within a union of lists.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    Value, sea_query::Expr,
};

use crate::{
    db::{self, PageSource, RowRef},
    domain::{
        conversations,
        messages::{
            self,
            projection::{MessageColumns, MessageProjection, MessageReader},
        },
        pagination::{Direction, PageRequest, Slice, fetch_with_parent, union_all_with},
        predicates::{shown, unread, visible_from},
        reads::position,
        sessions::Viewer,
    },
    entity::{conversation, message, partial},
    error::Error,
    id::{ConversationId, MessageId},
};

partial::row_key!(
    /// The position of a message in a timeline.
    TimelineKey of message {
        /// Whose timeline.
        conversation_id: ConversationId,
        /// The position.
        seq: i32,
    }
);

/// A slice of a timeline, each message with its position.
pub type TimelineSlice<P> = Slice<(TimelineKey, <P as MessageProjection>::Row)>;

/// The position at which to open a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// At this message; for a reply, at its thread's root.
    Message(MessageId),
    /// At the first message the viewer has not read, or the newest when all is read.
    FirstUnread,
    /// At the oldest message.
    Start,
    /// At the first message sent at or after this time.
    Time(DateTime<Utc>),
}

/// One page of each of several timelines.
pub async fn pages<C: PageSource, P: MessageProjection>(
    db: &C,
    viewer: &Viewer,
    conversations: &[ConversationId],
    span: &PageRequest<i32>,
    include_replies: bool,
    projection: &P,
) -> Result<HashMap<ConversationId, TimelineSlice<P>>, Error> {
    let reader = MessageReader::<P, TimelineKey>::new(projection);
    let selects = conversations.iter().map(|&conversation| {
        let text = reader.select(db.get_database_backend());
        select(&text, viewer, conversation, span, include_replies)
    });
    let read = |row: &RowRef<'_>| reader.read(row, 0);
    let rows = union_all_with(db, selects.collect(), read).await?;
    Ok(span.parts(rows, |(key, _)| key.conversation_id))
}

/// Reads a conversation and a page of its timeline with one statement.
pub async fn with_conversation<C: PageSource, P: MessageProjection>(
    db: &C,
    viewer: &Viewer,
    id: ConversationId,
    (span, include_replies): (&PageRequest<i32>, bool),
    projection: &P,
) -> Result<Option<(conversation::Model, TimelineSlice<P>)>, Error> {
    let reader = MessageReader::<P, TimelineKey>::new(projection);
    let found = conversations::visible(viewer).filter(conversation::Column::Id.eq(id));
    let text = reader.select(db.get_database_backend());
    let list = select(&text, viewer, id, span, include_replies);
    let read = |row: &RowRef<'_>, from| reader.read(row, from);
    let found = fetch_with_parent(db, found, list, reader.width(), read).await?;
    Ok(found.map(|(conversation, rows)| (conversation, span.part(rows))))
}

fn select(
    columns: &str,
    viewer: &Viewer,
    conversation: ConversationId,
    span: &PageRequest<i32>,
    include_replies: bool,
) -> (String, Vec<Value>) {
    let list = ("m.conversation_id", conversation.into());
    let here: Vec<Value> = vec![conversation.into(), viewer.user.into()];
    let (visible_from, shown) = (visible_from("?"), shown("m"));
    let start = (visible_from.as_str(), here.clone());
    let (rest, more) = span.sql_from(list, "m.seq", false, Some(start));
    let reply_filter = reply_filter(include_replies);
    let text = format!("{columns} WHERE m.seq >= {visible_from} {reply_filter} AND {shown}{rest}");
    (text, here.into_iter().chain(more).collect())
}

/// Resolves an anchor to a sequence number; `None` when the timeline has no message there.
pub async fn place<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    conversation: ConversationId,
    anchor: Anchor,
    include_replies: bool,
) -> Result<Option<i32>, Error> {
    match anchor {
        Anchor::Start => Ok(Some(0)),
        Anchor::Message(id) => {
            let message = messages::find(db, viewer, id).await?;
            if message.conversation_id != conversation {
                return Err(Error::not_found("message"));
            }
            if include_replies || message.root_id.is_none() {
                return Ok(Some(message.seq));
            }
            Ok(Some(
                messages::find(db, viewer, message.thread_root()).await?.seq,
            ))
        }
        Anchor::Time(time) => {
            let since = since(db, conversation, time).await?;
            let span = PageRequest {
                after: Some(since.saturating_sub(1)),
                ..PageRequest::end(Direction::First, 1)
            };
            first(db, viewer, conversation, &span, include_replies).await
        }
        Anchor::FirstUnread => first_unread(db, viewer, conversation, include_replies).await,
    }
}

/// The sequence number of the first message that was sent at or after a time; the maximum if there is none.
async fn since<C: ConnectionTrait>(
    db: &C,
    conversation: ConversationId,
    time: DateTime<Utc>,
) -> Result<i32, Error> {
    let (list, at) = (message::Column::ConversationId, message::Column::CreatedAt);
    let start = [Expr::value(conversation), Expr::value(time)];
    // A range, as in PageRequest::sql.
    let first = message::Entity::find()
        .select_only()
        .column(message::Column::Seq)
        .filter(Expr::tuple([list.into_expr(), at.into_expr()]).gte(Expr::tuple(start)))
        .filter(list.lte(conversation))
        .order_by_asc(list)
        .order_by_asc(at)
        .order_by_asc(message::Column::Seq)
        .into_tuple()
        .one(db);
    Ok(first.await?.unwrap_or(i32::MAX))
}

async fn first_unread<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    conversation: ConversationId,
    include_replies: bool,
) -> Result<Option<i32>, Error> {
    let found = if include_replies {
        // Ordered as in PageRequest::sql.
        format!(
            "(SELECT m.seq FROM message m
                 WHERE (m.conversation_id, m.seq) > (p.conversation_id, p.read_floor_seq + 0)
                     AND m.conversation_id <= p.conversation_id AND {}
                 ORDER BY m.conversation_id, m.seq LIMIT 1)",
            unread("m", "p")
        )
    } else {
        position::first_unread(db.get_database_backend(), "m.seq", position::TIMELINE)
    };
    let text = format!(
        "SELECT {found} AS seq FROM participant p WHERE p.conversation_id = ? AND p.user_id = ?"
    );
    let values: [Value; 2] = [conversation.into(), viewer.user.into()];
    let unread: Option<Option<i32>> = db::fetch_one(db, &text, values).await?;
    if let Some(Some(seq)) = unread {
        return Ok(Some(seq));
    }
    let newest = PageRequest::end(Direction::Last, 1);
    first(db, viewer, conversation, &newest, include_replies).await
}

/// The sequence number of the first message of a page.
async fn first<C: PageSource>(
    db: &C,
    viewer: &Viewer,
    conversation: ConversationId,
    span: &PageRequest<i32>,
    include_replies: bool,
) -> Result<Option<i32>, Error> {
    let places = MessageColumns::new([], []);
    let parts = pages(db, viewer, &[conversation], span, include_replies, &places).await?;
    let part = parts.into_values().next().unwrap_or_default();
    Ok(part.items.first().map(|(key, _)| key.seq))
}

fn reply_filter(include_replies: bool) -> &'static str {
    if include_replies {
        ""
    } else {
        "AND m.root_id IS NULL"
    }
}
